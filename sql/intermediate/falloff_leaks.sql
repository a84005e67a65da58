-- grain: one current episode that is fallen off at D
-- key: episode_id
-- description: What is lost with an episode: the visits expected in the 90 days after D had the patient stayed, times
--   the price of its last visit's item at D, half a cent rounded to the even cent. 0 where there is no price, or no
--   model of repeat visits (amount_basis none).
select
    subject.episode_id,
    subject.patient,
    subject.discipline,
    subject.last_on,
    subject.item,
    subject.location,
    subject.staff_member,
    cast(round_even(coalesce(outlook.expected_if_stayed, 0) * price.amount_cents, 0) as bigint) as amount_cents,
    case when outlook.expected_if_stayed is null then 'none' else price.basis end as amount_basis
from intermediate.falloff_subjects as subject
inner join intermediate.outlooks as outlook using (patient, discipline)
cross join staging.clock as clock
inner join intermediate.expected_prices as price
    on price.item = subject.item
    and price.location = subject.location
    and price.service_date = clock.as_of
