-- grain: one change of one figure of a closed month
-- key: month, figure, category, detail, discipline, location, currency, since_commit
-- description: Every time a build found another figure for a closed month than was known of it before: what was
--   published, what it was just before, what it is since, and which data showed it first. The last of a figure is
--   current.
select
    restatement.month,
    restatement.figure,
    restatement.category,
    restatement.detail,
    restatement.discipline,
    restatement.location,
    restatement.currency,
    restatement.unit,
    restatement.published,
    restatement.before,
    restatement.restated,
    restatement.restated - restatement.published as difference,
    restatement.since_commit,
    restatement.first_seen,
    restatement.is_current
from closed.restatements as restatement
order by restatement.month, restatement.figure, restatement.category, restatement.detail, restatement.discipline,
    restatement.location, restatement.currency, restatement.since_commit
