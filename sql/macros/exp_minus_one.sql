-- exp_minus_one(x): exp(x) - 1, with all its digits where x is small.
create or replace macro exp_minus_one(x) as
    case when abs(x) < 1 then tanh(x / 2) * (exp(x) + 1) else exp(x) - 1 end;
