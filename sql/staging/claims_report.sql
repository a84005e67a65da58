-- grain: one row
-- key: is_known
-- description: Whether any claim was ever brought home, at any D. Where none was, a missing claim says nothing.
select count(*) > 0 as is_known
from lake.claims
