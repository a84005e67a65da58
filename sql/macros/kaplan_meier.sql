-- kaplan_meier(durations): the product-limit estimate of Kaplan and Meier (1958), with Greenwood's (1926) standard error
-- and the log-log 95 % interval of Kalbfleisch and Prentice (z = 1.959963984540054).
--
-- durations names a table (series, time integer, event boolean), one row an entity; a series of any type is a curve of
-- its own.
--
-- Result, one row a series and distinct time, time 0 always among them: series, time, n_risk (entities with time >= t),
-- n_event, n_censor, survival, std_err (of the survival; empty where survival is 0), ci_low, ci_high (empty where
-- survival is 0 or 1).
create or replace macro kaplan_meier(durations) as table
with counts as (
    select
        duration.series,
        cast(duration.time as bigint) as time,
        count(*) filter (where duration.event) as n_event,
        count(*) filter (where not duration.event) as n_censor
    from query_table(durations) as duration
    group by all
),

origins as (
    select
        series,
        cast(0 as bigint) as time,
        cast(0 as bigint) as n_event,
        cast(0 as bigint) as n_censor
    from counts
    group by series
    having min(time) > 0
),

times as (
    select series, time, n_event, n_censor from counts
    union all
    select series, time, n_event, n_censor from origins
),

risks as (
    select
        series,
        time,
        n_event,
        n_censor,
        cast(sum(n_event + n_censor) over (partition by series order by time desc) as bigint) as n_risk
    from times
),

steps as (
    select
        series,
        time,
        n_risk,
        n_event,
        n_censor,
        product((n_risk - n_event) / n_risk) over so_far as survival,
        sum(n_event / (n_risk * nullif(cast(n_risk - n_event as double), 0))) over so_far as greenwood
    from risks
    window so_far as (partition by series order by time rows unbounded preceding)
),

-- Where only the censored leave, the estimate is the one before to the last bit, which a product of the same factors in
-- another grouping is not.
estimates as (
    select
        series,
        time,
        n_risk,
        n_event,
        n_censor,
        coalesce(last_value(if(n_event > 0, survival, null) ignore nulls) over so_far, 1.0) as survival,
        coalesce(last_value(if(n_event > 0, greenwood, null) ignore nulls) over so_far, 0.0) as greenwood
    from steps
    window so_far as (partition by series order by time rows unbounded preceding)
)

select
    series,
    time,
    n_risk,
    n_event,
    n_censor,
    survival,
    case when survival > 0 then survival * sqrt(greenwood) end as std_err,
    case
        when survival > 0 and survival < 1
            then pow(survival, exp(1.959963984540054 * sqrt(greenwood) / -ln(survival)))
    end as ci_low,
    case
        when survival > 0 and survival < 1
            then pow(survival, exp(-1.959963984540054 * sqrt(greenwood) / -ln(survival)))
    end as ci_high
from estimates;
