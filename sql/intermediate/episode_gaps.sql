-- grain: one engagement of an episode, with the gap after it
-- key: none
-- description: Where an episode's patient was neither seen nor expected.
select
    gap.entity,
    gap.visit_number,
    gap.visit_on,
    gap.reached_on,
    gap.resumes_on,
    gap.gap_days,
    gap.is_last
from engagement_gaps('intermediate.engagements', 'intermediate.observations') as gap
