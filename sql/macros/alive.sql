-- alive(histories, parameters, horizon): the probability that an entity will come again at all, and how often it is expected
-- in the next horizon units of time, by BG/NBD (Fader, Hardie and Lee 2005) or MBG/NBD (Batislam, Denizel and Filiztekin
-- 2007; Wagner and Hoppe 2008), which lets an entity drop out after its first visit too.
--
-- histories names a table as repeat_visits gives it. parameters names a table (series, model 'bgnbd' or 'mbgnbd', r, alpha,
-- a, b), one row a series.
--
-- Result, one row a history with parameters: series, entity, x, t_x, t, p_alive, expected.
--
-- The expected number is p_alive times its mean for an entity that is still there, whose chance p of dropping out at a visit
-- is then Beta(a, beta) and whose rate is Gamma(s, alpha + t): the mean of f(p) = (1 - (1 + p tau)^-s) / p with
-- tau = horizon / (alpha + t). That is the published formula with 2F1 written as an integral: its integrand is positive, so no
-- digits cancel, and a = 1 is no special case. It is summed over logit(p) in even steps, which converges exponentially: with
-- these steps the error is below 1e-13 of the mean. Steps are counted from the mode of the weight, v; beyond the last step the
-- tails are geometric series.
create or replace macro alive(histories, parameters, horizon) as table
with shapes as (
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
        case
            when shapes.is_surely_alive then 1.0
            else chance_of(ln(shapes.staying) - ln(shapes.a) - shapes.s * log_one_plus(shapes.silence))
        end as p_alive
    from shapes
),

-- What follows depends on x and t alone, and many entities have them in common.
moments as (
    select distinct
        chances.series,
        chances.x,
        chances.t,
        chances.a,
        chances.beta,
        chances.s,
        chances.tau,
        chances.a / (chances.a + chances.beta) as mode_p,
        chances.beta / (chances.a + chances.beta) as mode_q,
        sqrt(1 / chances.a + 1 / chances.beta) as width
    from chances
),

-- The step, and how steeply the weight falls a little way to either side of its mode.
steps as (
    select
        moments.*,
        least(0.25, 0.5 * moments.width) as step,
        least(1, 10 * moments.width) as nearby
    from moments
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
    chances.p_alive * means.visits as expected
from chances
inner join means using (series, x, t);
