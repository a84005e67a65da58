-- grain: one month and whether somebody had the patient as a task before
with returned as (
    select
        outlook.first_on,
        exists (
            from leak_said as said
            where starts_with(said.leak_id, 'falloff/' || outlook.patient || '/' || outlook.discipline || '/')
                and said.leak_id <> 'falloff/' || outlook.episode_id
                and said.since <= outlook.first_on
                and said.state <> 'open'
        ) as is_by_us
    from patient_outlook as outlook
    where outlook.beginning = 'returning'
        and ($discipline = 'all' or outlook.discipline = $discipline)
        and outlook.first_on >= coalesce(cast($from::varchar as date), '-infinity'::date)
        and outlook.first_on <= coalesce(cast($to::varchar as date), 'infinity'::date)
)

select
    cast(date_trunc('month', returned.first_on) as date) as month,
    case when returned.is_by_us then 'By us' else 'On their own' end as series,
    count(*) as patients
from returned
group by month, series
order by month, series
