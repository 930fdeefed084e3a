#!/usr/bin/env python3
"""Times the same fits with SciPy and with equiscale, in turn: the published grid of starts and the bootstrap.

    analysis/peers/compare_scipy.py TABLE.csv [--keep COLUMN] [--build build/opt] [--ranks 2] [--starts 30]
                                    [--resamples 30]

SciPy runs `--starts` of the 4500 starts (L-BFGS-B, numerical gradient, as the published code does) and `--resamples` of
the 4000 resamples (BFGS with analytic gradient from the minimum), and its times are scaled up; equiscale runs all."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

from chart import absent

try:
    import numpy as np
    from scipy.optimize import minimize
    from scipy.special import logsumexp
except ModuleNotFoundError as missing:
    absent(missing, "python3-scipy")

DELTA = 1e-3


def read(path, keep):
    with open(path) as f:
        lines = [line.strip().split(",") for line in f if line.strip() and not line.startswith("#")]
    header, rows = lines[0], lines[1:]
    if keep:
        rows = [r for r in rows if float(r[header.index(keep)])]
    return [np.log([float(r[header.index(k)]) for r in rows]) for k in ("N", "D", "loss")]


def objective(p, x, y, z):
    a, b, e, alpha, beta = p
    r = np.abs(z - logsumexp(np.stack([a - alpha * x, b - beta * y, np.full_like(x, e)]), axis=0))
    return np.sum(np.where(r <= DELTA, 0.5 * r * r, DELTA * (r - 0.5 * DELTA)))


def gradient(p, x, y, z):
    a, b, e, alpha, beta = p
    terms = np.stack([a - alpha * x, b - beta * y, np.full_like(x, e)])
    log_s = logsumexp(terms, axis=0)
    share = np.exp(terms - log_s)
    slope = -np.clip(z - log_s, -DELTA, DELTA)
    return np.array([*(slope @ s for s in share), -(slope * x) @ share[0], -(slope * y) @ share[1]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("table")
    parser.add_argument("--keep", default="")
    parser.add_argument("--build", default="build/opt")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--starts", type=int, default=30)
    parser.add_argument("--resamples", type=int, default=30)
    args = parser.parse_args()
    x, y, z = read(args.table, args.keep)

    exponents, logs = np.arange(0, 2.5, 0.5), range(0, 30, 5)
    grid = [(a, b, e, al, be) for al in exponents for be in exponents for e in np.arange(-1, 1.5, 0.5) for a in logs
            for b in logs]
    rng = np.random.default_rng(1)
    chosen = [grid[i] for i in rng.choice(len(grid), args.starts, replace=False)]
    start = time.perf_counter()
    ends = [minimize(objective, p, args=(x, y, z), method="L-BFGS-B") for p in chosen]
    scipy_grid = (time.perf_counter() - start) / args.starts * len(grid)
    best = min(ends, key=lambda r: r.fun)
    reached = sum(r.fun <= best.fun * (1 + 1e-6) for r in ends)

    best = minimize(objective, best.x, args=(x, y, z), jac=gradient, method="BFGS")
    start = time.perf_counter()
    for _ in range(args.resamples):
        i = rng.integers(0, len(x), len(x))
        minimize(objective, best.x, args=(x[i], y[i], z[i]), jac=gradient, method="BFGS")
    scipy_bootstrap = (time.perf_counter() - start) / args.resamples * 4000

    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "fit.json")
        program = os.path.join(args.build, "equiscale")
        command = ["jobs/local.sh", str(args.ranks), program, "fit", args.table, "-json", out,
                   "-fit_bootstraps", "4000", "-fit_intervals", "cells", "-fit_surrogate", "false"]
        if args.keep:
            command += ["-fit_columns_keep", args.keep]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        arm = json.load(open(out))["arms"][0]
    ours = arm["certificate"]
    print(f"{'':34}{'SciPy':>14}{'equiscale':>14}{'ratio':>8}")
    for what, theirs, mine in (("4500 starts", scipy_grid, ours["seconds_fit"]),
                               ("4000 resamples", scipy_bootstrap, ours["seconds_spread"])):
        print(f"{what + ', seconds':34}{theirs:14.1f}{mine:14.2f}{theirs / mine:8.0f}")
    print(f"{'objective':34}{best.fun:14.10f}{arm['objective']:14.10f}")
    print(f"{'starts at the minimum':34}{reached:8} of {args.starts:<3}{ours['reached']:6} of {ours['starts']}")
    print(f"SciPy on 1 core, {args.starts} starts and {args.resamples} resamples scaled up; equiscale on "
          f"{args.ranks} ranks, all of them")


if __name__ == "__main__":
    main()
