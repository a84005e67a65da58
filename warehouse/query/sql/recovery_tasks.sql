-- grain: one task of winning a patient back in one discipline: what waits first, whoever loses the most visits on top
-- meaning: a task has the name of the leak that the patient's episode is, or becomes once it has fallen off. Whoever has
--   nothing booked is one, whether somebody took it up or not; of the others those that somebody took up.
with tasks as (
    select
        outlook.*,
        'falloff/' || outlook.episode_id as leak_id,
        said.state as said_state,
        said.since,
        said.assignee,
        said.note,
        case
            when outlook.next_booking_on is not null then 'booked'
            when outlook.status = 'finished' then 'finished'
            when outlook.last_on >= said.since then 'came_back'
            when said.state in ('written_off', 'expired') then 'given_up'
            when said.state in ('assigned', 'contacted') then 'waiting'
            else 'not_begun'
        end as result,
        outlook.next_booking_on as result_on
    from patient_outlook as outlook
    left join leak_said as said on said.leak_id = 'falloff/' || outlook.episode_id
    where outlook.list_rank is not null or said.leak_id is not null
    union all
    -- The episode that the task was about has ended: the patient is here again.
    select
        outlook.*,
        said.leak_id,
        said.state as said_state,
        said.since,
        said.assignee,
        said.note,
        'came_back' as result,
        outlook.first_on as result_on
    from patient_outlook as outlook
    inner join leak_said as said
        on starts_with(said.leak_id, 'falloff/' || outlook.patient || '/' || outlook.discipline || '/')
        and said.leak_id <> 'falloff/' || outlook.episode_id
),

chosen as (
    select
        tasks.*,
        coalesce(tasks.said_state, 'open') as state,
        case when tasks.result = 'came_back' then coalesce(tasks.result_on, tasks.last_on) else tasks.result_on end as ended_on,
        tasks.result in ('waiting', 'not_begun') as is_waiting,
        tasks.last_seen_by as staff_member
    from tasks
)

select
    row_number() over (
        order by chosen.is_waiting desc, chosen.list_rank nulls last, chosen.since desc, chosen.leak_id
    ) as place,
    chosen.patient,
    chosen.discipline,
    in_words(chosen.status) as status,
    in_words(chosen.state) as state,
    chosen.since as state_since,
    chosen.assignee,
    chosen.note as last_note,
    in_words(chosen.result) as result,
    chosen.ended_on,
    chosen.staff_member,
    chosen.last_on,
    chosen.days_since,
    chosen.expected_visits_lost,
    chosen.leak_id
from chosen
where case $state
        when 'unsettled' then chosen.is_waiting
        when 'ended' then not chosen.is_waiting
        when 'all' then true
        else chosen.is_waiting and chosen.state = $state
    end
    and ($discipline = 'all' or chosen.discipline = $discipline)
    and ($staff_member = 'all' or chosen.staff_member = $staff_member)
    and case $assignee
        when 'all' then true
        when 'nobody' then chosen.assignee is null
        else chosen.assignee = $assignee
    end
order by place
limit $limit
