-- alive(histories, parameters, horizon): the probability that an entity will come again at all, and how often it is expected
-- in the next horizon units of time, by BG/NBD (Fader, Hardie and Lee 2005) or MBG/NBD (Batislam, Denizel and Filiztekin
-- 2007; Wagner and Hoppe 2008), which lets an entity drop out after its first visit too.
--
-- histories names a table as repeat_visits gives it. parameters names a table (series, model 'bgnbd' or 'mbgnbd', r, alpha,
-- a, b), one row a series.
--
-- Result, one row a history with parameters: series, entity, x, t_x, t, p_alive, expected, and of an entity that is still
-- there: expected_if_alive, the visits expected of it, and seen_if_alive, the probability of one or more.
--
-- The expected number is p_alive times its mean for an entity that is still there, whose chance p of dropping out at a visit
-- is then Beta(a, beta) and whose rate is Gamma(s, alpha + t). There are two ways to that mean, neither of which cancels
-- digits as the published formula does, and for neither of which a = 1 is a special case.
--
-- Most are a power series. If it never dropped out, the entity would come N times, which is negative binomial, and the n-th
-- time only if it stayed n - 1 times: the mean is that of M_N, where M_n is the sum over k < n of
-- (beta)_k / (a + beta)_k. With z = horizon / (alpha + t + horizon) it is (1 - z)^s times the sum of (s)_n / n! M_n z^n over
-- n > 0, whose coefficients depend on x alone, and whose powers on t. It ends after 256 terms where what is left is below 1e-14
-- of the mean.
--
-- The others, mostly those seen for the first time just now, are an integral: the mean of
-- f(p) = (1 - (1 + p tau)^-s) / p with tau = horizon / (alpha + t), which is the published formula with 2F1 written as an
-- integral. It is summed over logit(p) in even steps, which converges exponentially: with these steps the error is below 1e-13
-- of the mean. Steps are counted from the mode of the weight, v; beyond the last step the tails are geometric series.
create or replace macro alive(histories, parameters, horizon) as table
with recursive shapes as (
    select
        history.series,
        history.entity,
        history.x,
        history.t_x,
        history.t,
        parameter.a,
        parameter.alpha + history.t as scale,
        parameter.r + history.x as s,
        parameter.b + history.x + if(parameter.model = 'mbgnbd', 1, 0) as beta,
        -- b + x - 1 or b + x; the first of BG/NBD's, x = 0, is never asked for.
        parameter.b + if(parameter.model = 'mbgnbd', history.x, greatest(history.x - 1, 0)) as staying,
        parameter.model = 'bgnbd' and history.x = 0 as is_surely_alive,
        (history.t - history.t_x) / (parameter.alpha + history.t_x) as silence
    from query_table(histories) as history
    inner join query_table(parameters) as parameter using (series)
),

chances as (
    select
        shapes.series,
        shapes.entity,
        shapes.x,
        shapes.t_x,
        shapes.t,
        shapes.a,
        shapes.beta,
        shapes.s,
        cast(horizon as double) / shapes.scale as tau,
        -exp_minus_one(-shapes.s * log_one_plus(cast(horizon as double) / shapes.scale)) as seen_if_alive,
        case
            when shapes.is_surely_alive then 1.0
            else chance_of(ln(shapes.staying) - ln(shapes.a) - shapes.s * log_one_plus(shapes.silence))
        end as p_alive
    from shapes
),

-- What follows depends on x and t alone, and many entities have them in common.
moments as materialized (
    select distinct
        chances.series,
        chances.x,
        chances.t,
        chances.a,
        chances.beta,
        chances.s,
        chances.tau,
        chances.tau / (1 + chances.tau) as z,
        chances.seen_if_alive
    from chances
),

-- The logarithm of the 256th term of the negative binomial, and the ratio that later terms stay below.
terms as materialized (
    select
        moments.*,
        case
            when moments.tau > 0 and moments.s < 1000
                then lgamma(moments.s + 256) - lgamma(moments.s) - lgamma(257)
                    + 256 * ln(moments.z) - moments.s * log_one_plus(moments.tau)
        end as log_last,
        moments.z * greatest(1, (moments.s + 256) / 257) * (1 + 1 / 256) as ratio
    from moments
),

sorted as materialized (
    select
        terms.*,
        coalesce(
            terms.ratio < 0.99
            and terms.log_last + ln(256 / (1 - least(terms.ratio, 0.99)))
            < ln(1e-14) + ln(greatest(terms.seen_if_alive, 1e-300)),
            false
        ) as is_series
    from terms
),

-- By x and n: (s)_n / n!, the chance of staying n - 1 times, and M_n.
coefficients as (
    select distinct
        sorted.series,
        sorted.x,
        sorted.a,
        sorted.beta,
        sorted.s,
        1 as n,
        cast(sorted.s as double) as choices,
        cast(1 as double) as staying,
        cast(1 as double) as stayed
    from sorted
    where sorted.is_series
    union all
    select
        coefficients.series,
        coefficients.x,
        coefficients.a,
        coefficients.beta,
        coefficients.s,
        coefficients.n + 1 as n,
        coefficients.choices * ((coefficients.s + coefficients.n) / (coefficients.n + 1)) as choices,
        coefficients.staying * (coefficients.beta + coefficients.n - 1)
        / (coefficients.a + coefficients.beta + coefficients.n - 1) as staying,
        coefficients.stayed + coefficients.staying * (coefficients.beta + coefficients.n - 1)
        / (coefficients.a + coefficients.beta + coefficients.n - 1) as stayed
    from coefficients
    where coefficients.n < 256
),

polynomials as (
    select
        coefficients.series,
        coefficients.x,
        list(coefficients.choices * coefficients.stayed order by coefficients.n) as factors
    from coefficients
    group by coefficients.series, coefficients.x
),

powers as (
    select
        distances.series,
        distances.t,
        list_transform(range(1, 257), lambda n: pow(distances.z, n)) as factors
    from (select distinct sorted.series, sorted.t, sorted.z from sorted where sorted.is_series) as distances
),

summed as (
    select
        sorted.series,
        sorted.x,
        sorted.t,
        exp(-sorted.s * log_one_plus(sorted.tau))
        * list_dot_product(polynomials.factors, powers.factors) as visits
    from sorted
    inner join polynomials using (series, x)
    inner join powers using (series, t)
    where sorted.is_series
),

bends as (
    select
        sorted.*,
        sorted.a / (sorted.a + sorted.beta) as mode_p,
        sorted.beta / (sorted.a + sorted.beta) as mode_q,
        sqrt(1 / sorted.a + 1 / sorted.beta) as width
    from sorted
    where not sorted.is_series
),

-- The step, and how steeply the weight falls a little way to either side of its mode.
steps as (
    select
        bends.*,
        least(0.25, 0.5 * bends.width) as step,
        least(1, 10 * bends.width) as nearby
    from bends
),

slopes as (
    select
        steps.*,
        steps.a - (steps.a + steps.beta)
        * (steps.mode_p * exp(-steps.nearby) / (steps.mode_q + steps.mode_p * exp(-steps.nearby))) as slope_before,
        (steps.a + steps.beta)
        * (steps.mode_p * exp(steps.nearby) / (steps.mode_q + steps.mode_p * exp(steps.nearby))) - steps.a as slope_after
    from steps
),

-- From where the weight or the tail's difference from a geometric series is below 1e-17, to where it is so again.
ranges as (
    select
        slopes.*,
        greatest(
            -slopes.nearby - 45 / slopes.slope_before,
            -40 - ln(1 + slopes.tau + slopes.s * slopes.tau + slopes.beta) - ln(slopes.a) + ln(slopes.beta)
        ) as from_v,
        least(
            slopes.nearby + 45 / slopes.slope_after,
            40 + ln(1 + slopes.a + slopes.s) - ln(slopes.a) + ln(slopes.beta)
        ) as to_v
    from slopes
),

grids as (
    select
        ranges.*,
        list_transform(
            range(cast(floor(ranges.from_v / ranges.step) as bigint), cast(ceil(ranges.to_v / ranges.step) as bigint) + 1),
            lambda i: i * ranges.step
        ) as places
    from ranges
),

weighed as (
    select
        grids.*,
        list_transform(
            grids.places,
            lambda v: exp(grids.a * v - (grids.a + grids.beta) * log_mixture(grids.mode_p, grids.mode_q, v))
        ) as weights,
        list_transform(
            grids.places,
            lambda v: visits_while_there(grids.s, grids.tau, grids.mode_p / (grids.mode_q * exp(-v) + grids.mode_p))
        ) as counts,
        exp_minus_one(grids.a * grids.step) as growth_before,
        exp_minus_one(grids.beta * grids.step) as growth_after
    from grids
),

means as (
    select
        summed.series,
        summed.x,
        summed.t,
        summed.visits
    from summed
    union all
    select
        weighed.series,
        weighed.x,
        weighed.t,
        (
            list_dot_product(weighed.weights, weighed.counts)
            + weighed.weights[1] / weighed.growth_before * weighed.s * weighed.tau
            + weighed.weights[-1] / weighed.growth_after * visits_while_there(weighed.s, weighed.tau, 1.0)
        ) / (
            list_sum(weighed.weights)
            + weighed.weights[1] / weighed.growth_before
            + weighed.weights[-1] / weighed.growth_after
        ) as visits
    from weighed
)

select
    chances.series,
    chances.entity,
    chances.x,
    chances.t_x,
    chances.t,
    chances.p_alive,
    chances.p_alive * means.visits as expected,
    means.visits as expected_if_alive,
    chances.seen_if_alive
from chances
inner join means using (series, x, t);
