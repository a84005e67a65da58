-- Physiotherapy's own model ranks better than the plain rule; Massage is too small for one.
select
    discipline,
    'mbgnbd' as model,
    fitted_to,
    fallback,
    episodes::bigint as episodes,
    0.7::double as r,
    1.9::double as alpha,
    0.8::double as a,
    2.1::double as b,
    -812.5::double as log_likelihood,
    120::bigint as evaluations,
    true as converged,
    null::varchar as limits,
    date '2026-07-03' as holdout_from,
    fitted_to as holdout_fitted_to,
    null::varchar as holdout_fallback,
    episodes::bigint as holdout_patients,
    predicted::double as holdout_predicted_visits,
    observed::bigint as holdout_observed_visits,
    40::bigint as holdout_ranked_seen,
    60::bigint as holdout_ranked_unseen,
    p_alive::double as concordance_p_alive,
    days_over_gap::double as concordance_days_over_gap,
    ranked_by,
    ranked_because,
    date '2026-09-30' as as_of
from (
    values
    ('Physiotherapy', 'discipline', null, 240, 310.5, 301, 0.81, 0.77, 'p_alive', 'it ranked better'),
    ('Massage', 'all', 'too few episodes', 30, 22.0, 25, 0.6, 0.66, 'days_over_gap', 'it ranked better')
) as model (
    discipline, fitted_to, fallback, episodes, predicted, observed, p_alive, days_over_gap, ranked_by, ranked_because
)
