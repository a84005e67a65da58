-- log_one_plus(x): ln(1 + x) for x > -1, with all its digits where x is small.
create or replace macro log_one_plus(x) as
    case when abs(x) < 0.5 then 2 * atanh(x / (2 + x)) else ln(1 + x) end;
