-- grain: one dataset
select
    freshness.dataset,
    freshness.row_count as rows,
    freshness.covered_from,
    freshness.covered_to,
    freshness.observed_on,
    -- reports may cover bookings ahead: what lies after the snapshot's day is not behind
    case
        when freshness.observed_on is not null or freshness.covered_to is not null
            then greatest(snapshot.as_of - coalesce(freshness.covered_to, freshness.observed_on), 0)
    end as days_behind,
    snapshot.as_of,
    snapshot.committed_at,
    snapshot.commit_name
from snapshot_freshness as freshness
cross join snapshot
