-- grain: one change of one figure of a closed month
select
    cast(restatement.month || '-01' as date) as month,
    restatement.figure,
    coalesce(
        kind.title, in_words(restatement.category)
    ) as category,
    concat_ws(
        ', ', nullif(restatement.detail, ''), nullif(restatement.discipline, ''), nullif(restatement.location, '')
    ) as split,
    restatement.unit,
    restatement.published,
    restatement.before,
    restatement.restated,
    restatement.difference,
    restatement.since_commit,
    restatement.first_seen,
    restatement.is_current
from restatements as restatement
left join leak_category as kind on kind.category = restatement.category
where ($figure = 'all' or restatement.figure = $figure)
    and ($show = 'all' or restatement.is_current and restatement.difference <> 0)
