-- grain: one item of the price list
-- key: item
-- description: The discipline an item belongs to. Where the price list names several, the one valid last counts.
with candidates as (
    select
        price.item,
        price.discipline,
        row_number() over (
            partition by price.item
            order by price.valid_from desc nulls last, price.valid_to desc nulls first, price.discipline
        ) as place
    from settings.prices as price
)

select
    item,
    discipline
from candidates
where place = 1
