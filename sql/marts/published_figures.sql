-- grain: one figure of one closed month for one set of dimensions
-- key: month, figure, category, detail, discipline, location, currency
-- description: What was published when a month was closed, and what the same figure is now, at the day it was published
--   for. A figure that came into being since was published as 0. difference is what was restated since.
select
    figure.month,
    figure.figure,
    figure.category,
    figure.detail,
    figure.discipline,
    figure.location,
    figure.currency,
    figure.unit,
    figure.published,
    figure.restated,
    figure.restated - figure.published as difference,
    figure.as_of,
    figure.closed_on
from closed.figures as figure
order by figure.month, figure.figure, figure.category, figure.detail, figure.discipline, figure.location,
    figure.currency
