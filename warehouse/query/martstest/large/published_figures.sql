-- No month is closed.
select
    null::varchar as month,
    null::varchar as figure,
    null::varchar as category,
    null::varchar as detail,
    null::varchar as discipline,
    null::varchar as location,
    null::varchar as currency,
    null::varchar as unit,
    null::bigint as published,
    null::bigint as restated,
    null::bigint as difference,
    null::date as as_of,
    null::date as closed_on
where false
