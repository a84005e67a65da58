-- grain: one dataset
select
    freshness.dataset,
    freshness.row_count as rows,
    freshness.covered_from,
    freshness.covered_to,
    freshness.observed_on,
    snapshot.as_of - freshness.covered_to as days_behind,
    snapshot.as_of,
    snapshot.committed_at,
    snapshot.commit_name
from snapshot_freshness as freshness
cross join snapshot
