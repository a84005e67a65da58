-- log_mixture(p, q, v): ln(q + p * exp(v)) for q = 1 - p, with all its digits where v is small.
create or replace macro log_mixture(p, q, v) as
    case
        when abs(v) < 0.5 then log_one_plus(p * exp_minus_one(v))
        else ln(q + p * exp(v))
    end;
