-- grain: one discipline
select
    model.discipline,
    case model.ranked_by
        when 'p_alive' then 'Chance of coming again'
        when 'days_over_gap' then 'Days since the last visit by their own rhythm'
        else model.ranked_by
    end as ranked_by,
    model.ranked_because,
    model.concordance_p_alive,
    model.concordance_days_over_gap,
    model.holdout_predicted_visits as predicted_visits,
    model.holdout_observed_visits as observed_visits,
    model.episodes,
    model.fallback
from outlook_models as model
