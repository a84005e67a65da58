-- grain: one month of the missed day, kind and discipline; all where not split
-- key: month, kind, discipline
-- description: Of no-shows and cancellations, how many patients were seen in the discipline within 14 and within 30
--   days after the missed day. A visit on that day counts, and one before it after the day of the cancellation. Only
--   what was missed that many days before D or earlier is in a share (due_14, due_30). A month is complete when its
--   last day is 30 days ago, and history began before it.
with judged as (
    select
        strftime(missed.service_date, '%Y-%m') as month,
        missed.kind,
        missed.discipline,
        missed.service_date <= clock.as_of - 14 as is_due_14,
        missed.service_date <= clock.as_of - 30 as is_due_30,
        coalesce(missed.days_after <= 14, false) as is_seen_14,
        coalesce(missed.days_after <= 30, false) as is_seen_30
    from intermediate.missed_returns as missed
    cross join staging.clock as clock
),

counts as (
    select
        coalesce(judged.month, 'all') as month,
        coalesce(judged.kind, 'all') as kind,
        coalesce(judged.discipline, 'all') as discipline,
        count(*) as missed,
        count(*) filter (where judged.is_due_14) as due_14,
        count(*) filter (where judged.is_due_14 and judged.is_seen_14) as recovered_14,
        count(*) filter (where judged.is_due_30) as due_30,
        count(*) filter (where judged.is_due_30 and judged.is_seen_30) as recovered_30
    from judged
    group by cube (judged.month, judged.kind, judged.discipline)
)

select
    counts.month,
    counts.kind,
    counts.discipline,
    counts.missed,
    counts.due_14,
    counts.recovered_14,
    counts.recovered_14 / nullif(counts.due_14, 0) as recovered_share_14,
    counts.due_30,
    counts.recovered_30,
    counts.recovered_30 / nullif(counts.due_30, 0) as recovered_share_30,
    counts.month = 'all'
    or (
        last_day(strptime(nullif(counts.month, 'all'), '%Y-%m')) + 30 <= clock.as_of
        and strptime(nullif(counts.month, 'all'), '%Y-%m') >= clock.history_from
    ) as is_complete,
    clock.history_from,
    clock.as_of
from counts
cross join staging.clock as clock
where counts.missed > 0
order by counts.month, counts.kind, counts.discipline
