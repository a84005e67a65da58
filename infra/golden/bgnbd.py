"""BG/NBD and MBG/NBD from the published formulas in arbitrary precision, and the fits of the package lifetimes.

Where lifetimes computes the same thing, this program fails unless the two agree."""

import csv
import datetime
import sys
import warnings
from pathlib import Path

import mpmath as mp
import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter, ModifiedBetaGeoFitter
from lifetimes.utils import ConvergenceError

OUT = Path(sys.argv[1])
warnings.simplefilter("ignore")
mp.mp.dps = 60


def log_likelihood(model, r, alpha, a, b, x, t_x, t):
    """Fader, Hardie and Lee (2005), equation 6; Batislam, Denizel and Filiztekin (2007)."""
    common = mp.loggamma(r + x) - mp.loggamma(r) + r * mp.log(alpha)
    once = 1 if model == "mbgnbd" else 0
    there = mp.beta(a, b + x + once) / mp.beta(a, b) * (alpha + t) ** -(r + x)
    gone = mp.beta(a + 1, b + x + once - 1) / mp.beta(a, b) * (alpha + t_x) ** -(r + x) if x + once > 0 else mp.mpf(0)
    return common + mp.log(there + gone)


def p_alive(model, r, alpha, a, b, x, t_x, t):
    if model == "bgnbd" and x == 0:
        return mp.mpf(1)
    down = b + x if model == "mbgnbd" else b + x - 1
    return 1 / (1 + a / down * ((alpha + t) / (alpha + t_x)) ** (r + x))


def expected(model, r, alpha, a, b, x, t_x, t, horizon):
    """Fader, Hardie and Lee (2005), equation 10; Wagner and Hoppe (2008)."""
    once = 1 if model == "mbgnbd" else 0
    if a == 1:  # the formula's limit
        a = a + mp.mpf(10) ** -35
    hyper = mp.hyp2f1(r + x, b + x + once, a + b + x + once - 1, horizon / (alpha + t + horizon))
    rest = 1 - ((alpha + t) / (alpha + t + horizon)) ** (r + x) * hyper
    return (a + b + x + once - 1) / (a - 1) * rest * p_alive(model, r, alpha, a, b, x, t_x, t)


PARAMETERS = [
    (0.243, 4.414, 0.793, 2.426),  # about those of the CDNOW data
    (1.2, 2.5, 0.9, 3.5),
    (1.5, 0.8, 1.0, 2.0),          # a = 1, where the published formula divides by 0
    (3.0, 1.0, 1.0000001, 1.0),
    (0.01, 0.05, 0.02, 0.03),
    (25.0, 60.0, 40.0, 700.0),
    (0.7, 9.0, 1e-4, 5.0),
    (2.0, 0.001, 5.0, 0.5),
    (1e4, 2e4, 3e3, 2e4),          # nearly no spread
]
HISTORIES = [
    (0, "0", "0"), (0, "0", "38.86"), (1, "0.142857142857142857", "0.142857142857142857"), (2, "30.43", "38.86"), (5, "20", "21.5"),
    (12, "11.9", "300"), (1, "1", "2000"), (60, "52", "52"), (800, "1500", "1565"), (4000, "2000", "2000"), (4000, "1200", "2000"),
]
HORIZONS = ["0", "0.142857142857142857", "12.857142857142857", "521.4"]


def cases():
    with open(OUT / "alive_cases.csv", "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["model", "r", "alpha", "a", "b", "x", "t_x", "t", "horizon", "log_likelihood", "p_alive", "expected"])
        for model in ["mbgnbd", "bgnbd"]:
            for parameters in PARAMETERS:
                for n, (x, t_x, t) in enumerate(HISTORIES):
                    # Every value is the double that is written, not its decimal.
                    doubles = [float(v) for v in (*parameters, x, t_x, t)]
                    horizons = HORIZONS if n in (0, 3, 5) else [HORIZONS[2]]
                    for horizon in horizons:
                        at = [mp.mpf(v) for v in doubles]
                        mp.mp.dps = 120 if max(doubles) > 500 else 60
                        row = [model, *doubles[:4], x, *doubles[5:], float(horizon)]
                        row += [mp.nstr(v, 20) for v in (log_likelihood(model, *at), p_alive(model, *at), expected(model, *at, mp.mpf(float(horizon))))]
                        writer.writerow(row)


def histories():
    as_of = datetime.date(2025, 8, 23)
    frame = pd.read_csv(OUT / "repeat_visits.csv", parse_dates=["date"]).drop_duplicates()
    grouped = frame.groupby("entity").date.agg(["min", "max", "count"])
    x = grouped["count"] - 1
    t_x = (grouped["max"] - grouped["min"]).dt.days / 7
    t = (pd.Timestamp(as_of) - grouped["min"]).dt.days / 7
    return grouped.index, x.to_numpy(), t_x.to_numpy(), t.to_numpy()


def agree(what, ours, theirs):
    for a, b in zip(ours, theirs):
        if abs(a - mp.mpf(float(b))) > mp.mpf("1e-9") * abs(a):
            sys.exit(f"{what}: {mp.nstr(a, 17)} here, {b} by lifetimes")


def fits():
    names, x, t_x, t = histories()
    rows = []
    for model, fitter in [("mbgnbd", ModifiedBetaGeoFitter()), ("bgnbd", BetaGeoFitter())]:
        for tolerance in [1e-11, 1e-10, 1e-9, 1e-8, 1e-7]:  # as fine as its search comes to rest with
            try:
                fitter.fit(x, t_x, t, tol=tolerance)
                break
            except ConvergenceError:
                continue
        parameters = [float(fitter.params_[name]) for name in ["r", "alpha", "a", "b"]]
        at = [mp.mpf(v) for v in parameters]
        mp.mp.dps = 40
        each = [(mp.mpf(int(a)), mp.mpf(float(b)), mp.mpf(float(c))) for a, b, c in zip(x, t_x, t)]
        total = mp.fsum(log_likelihood(model, *at, *h) for h in each)
        theirs = -fitter._negative_log_likelihood(np.log(parameters), x, t_x, t, np.ones(len(x)), 0.0) * len(x)
        agree(f"{model}: log-likelihood", [total], [theirs])
        alive = [p_alive(model, *at, *h) for h in each]
        agree(f"{model}: P(alive)", alive, fitter.conditional_probability_alive(x, t_x, t))
        counts = [expected(model, *at, *h, mp.mpf(90) / 7) for h in each]
        agree(f"{model}: expected", counts, fitter.conditional_expected_number_of_purchases_up_to_time(90 / 7, x, t_x, t))
        rows.append([model, *map(repr, parameters), mp.nstr(total, 20)])
        with open(OUT / f"alive_{model}.csv", "w", newline="") as f:
            writer = csv.writer(f)
            writer.writerow(["entity", "x", "t_x", "t", "p_alive", "expected"])
            for name, h, p, c in zip(names, zip(x, t_x, t), alive, counts):
                writer.writerow([name, int(h[0]), repr(float(h[1])), repr(float(h[2])), mp.nstr(p, 20), mp.nstr(c, 20)])
    with open(OUT / "fits.csv", "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["model", "r", "alpha", "a", "b", "log_likelihood"])
        writer.writerows(rows)


cases()
fits()
