-- visits_while_there(s, tau, p): (1 - (1 + p tau)^-s) / p, the number of visits expected in tau of an entity that drops out at
-- each with chance p and whose rate is Gamma(s, 1), with all its digits where p is small.
create or replace macro visits_while_there(s, tau, p) as
    tanh(s * log_one_plus(p * tau) / 2) * (1 + exp(-s * log_one_plus(p * tau))) / p;
