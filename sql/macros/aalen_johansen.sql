-- aalen_johansen(durations): how many have come to each of several ends by a time, by the estimate of Aalen and Johansen
-- (1978): who came to one end cannot come to another.
--
-- durations names a table (series, time integer, cause integer), one row an entity; cause 0 is censored, any other number says
-- which end it was. A series of any type is a curve of its own.
--
-- Result, one row a series, distinct time (0 always among them) and cause of the series: series, time, cause, n_risk (entities
-- with time >= t), n_event (of the cause), n_censor, incidence (the share that came to this end by then).
create or replace macro aalen_johansen(durations) as table
with counts as (
    select
        duration.series,
        cast(duration.time as bigint) as time,
        cast(duration.cause as bigint) as cause,
        count(*) as entities
    from query_table(durations) as duration
    group by all
),

times as (
    select
        counts.series,
        counts.time,
        sum(counts.entities) as leaving,
        coalesce(sum(counts.entities) filter (where counts.cause <> 0), 0) as n_event,
        coalesce(sum(counts.entities) filter (where counts.cause = 0), 0) as n_censor
    from counts
    group by counts.series, counts.time
    union all
    select
        counts.series,
        cast(0 as bigint) as time,
        0 as leaving,
        0 as n_event,
        0 as n_censor
    from counts
    group by counts.series
    having min(counts.time) > 0
),

risks as (
    select
        times.series,
        times.time,
        times.n_event,
        times.n_censor,
        cast(sum(times.leaving) over (partition by times.series order by times.time desc) as bigint) as n_risk
    from times
),

still_here as (
    select
        risks.series,
        risks.time,
        risks.n_risk,
        risks.n_censor,
        coalesce(product((risks.n_risk - risks.n_event) / risks.n_risk) over (
            partition by risks.series
            order by risks.time
            rows between unbounded preceding and 1 preceding
        ), 1.0) as share_before
    from risks
),

causes as (
    select distinct counts.series, counts.cause from counts
    where counts.cause <> 0
)

select
    still_here.series,
    still_here.time,
    causes.cause,
    still_here.n_risk,
    coalesce(counts.entities, 0) as n_event,
    cast(still_here.n_censor as bigint) as n_censor,
    sum(still_here.share_before * coalesce(counts.entities, 0) / still_here.n_risk) over (
        partition by still_here.series, causes.cause
        order by still_here.time
        rows unbounded preceding
    ) as incidence
from still_here
inner join causes using (series)
left join counts
    on counts.series = still_here.series
    and counts.time = still_here.time
    and counts.cause = causes.cause;
