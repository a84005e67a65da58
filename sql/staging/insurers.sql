-- grain: one insurer that is known by name
-- key: payer_id
-- description: Insurers' names. A payer that is not here is an other insurer.
select
    insurer.payer_id,
    insurer.name
from lake.insurers as insurer
