-- grain: one discipline at D, and 90 days before, that has parameters
-- key: series
-- description: Parameters as the macro alive takes them.
select
    concat_ws('/', outlook.purpose, outlook.discipline) as series,
    outlook.model,
    outlook.r,
    outlook.alpha,
    outlook.a,
    outlook.b
from fitted.outlook as outlook
where outlook.r is not null
