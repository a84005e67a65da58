-- chance_of(log_odds): the probability with these log odds, without overflow.
create or replace macro chance_of(log_odds) as
    case when log_odds > 0 then 1 / (1 + exp(-log_odds)) else exp(log_odds) / (1 + exp(log_odds)) end;
