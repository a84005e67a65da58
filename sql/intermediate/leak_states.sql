-- grain: one leak that somebody took up
-- key: leak_id
-- description: What people last said of a leak, and the first day on which somebody had it as a task (assigned or
--   contacted).
with ordered as (
    select
        said.leak_id,
        said.state,
        row_number() over (partition by said.leak_id order by said.sequence desc) as place
    from staging.leak_states as said
),

tasks as (
    select
        said.leak_id,
        min(said.on_day) as task_on
    from staging.leak_states as said
    where said.state in ('assigned', 'contacted')
    group by said.leak_id
)

select
    ordered.leak_id,
    ordered.state,
    tasks.task_on
from ordered
left join tasks using (leak_id)
where ordered.place = 1
