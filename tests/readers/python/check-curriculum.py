"""Computes pass rates, slices, moves, tools and agreement again, from their formulas with NumPy, and compares.

stdin: {"runs": [{"rollouts", "calls", "ratings", "ours": {...}}]}; stdout: {"checked": n, "differences": [...]}.
"""

import json
import math
import sys
from collections import defaultdict
from fractions import Fraction

import numpy as np

TOLERANCE = 1e-9
# The standard normal quantile of 0.975.
Z = 1.959963984540054
differences = []
checked = 0


def same(where, ours, theirs):
    global checked
    checked += 1
    if ours is None or theirs is None:
        ok = ours is None and theirs is None
    elif isinstance(theirs, (str, bool, list, dict)):
        ok = ours == theirs
    else:
        ok = math.isclose(float(ours), float(theirs), rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    if not ok and len(differences) < 20:
        differences.append(f"{where}: ours {ours!r}, numpy {theirs!r}")


def wilson(passed, n):
    """Where |share - p| is Z deviations of p: the roots of a quadratic, by NumPy."""
    share = passed / n
    low, high = sorted(np.roots([1 + Z * Z / n, -(2 * share + Z * Z / n), share * share]).real)
    return max(low, 0.0), min(high, 1.0)


def tallies(rollouts):
    units = defaultdict(list)
    for one in rollouts:
        if one["item"] is not None and one["reward"] is not None:
            units[(one["item"], one["version"])].append(one)
    return units


def check_pass_rates(where, rollouts, ours):
    units = tallies(rollouts)
    same(f"{where} units", len(ours), len(units))
    for row in ours:
        here = units[(row["item"], row["policy_version"])]
        rewards = np.array([float(one["reward"]) for one in here])
        finite = rewards[np.isfinite(rewards)]
        passed = sum(one["correct"] for one in here)
        low, high = wilson(passed, len(here))
        label = f"{where} {row['item']} {row['policy_version']}"
        same(f"{label} n", row["n"], len(here))
        same(f"{label} passed", row["passed"], passed)
        same(f"{label} mean", row["reward_mean"], np.mean(finite) if len(finite) else None)
        same(f"{label} std", row["reward_std"], np.std(finite, ddof=1) if len(finite) > 1 else None)
        same(f"{label} low", row["low"], low)
        same(f"{label} high", row["high"], high)


def check_slice(where, rollouts, ours):
    """By exact fractions, of the newest version of each item."""
    newest = {}
    for (item, version), here in tallies(rollouts).items():
        key = -1 if version is None else version
        if item not in newest or key > newest[item][0]:
            newest[item] = (key, Fraction(sum(one["correct"] for one in here), len(here)))
    inside = sorted(item for item, (_, rate) in newest.items() if Fraction(ours["low"]) <= rate <= Fraction(ours["high"]))
    same(f"{where} slice {ours['low']} {ours['high']}", ours["items"], inside)


def check_migration(where, rollouts, ours):
    units = tallies(rollouts)
    rate = lambda item, version: Fraction(sum(one["correct"] for one in units[(item, version)]), len(units[(item, version)]))
    both = sorted(item for item in {item for item, _ in units} if (item, 1) in units and (item, 2) in units)
    before = np.array([float(rate(item, 1)) for item in both])
    after = np.array([float(rate(item, 2)) for item in both])
    same(f"{where} items", ours["n_items"], len(both))
    same(f"{where} change", ours["mean_change"], np.mean(after - before) if len(both) else None)
    same(f"{where} loss", ours["mean_loss"], np.mean(np.maximum(before - after, 0)) if len(both) else None)
    changes = {
        "forgotten": [item for item in both if rate(item, 1) > 0 and rate(item, 2) == 0],
        "newly_solved": [item for item in both if rate(item, 1) == 0 and rate(item, 2) > 0],
        "never": [item for item in both if rate(item, 1) == 0 and rate(item, 2) == 0],
        "always": [item for item in both if rate(item, 1) == 1 and rate(item, 2) == 1],
    }
    same(f"{where} changes", ours["changes"], changes)


def check_tools(where, calls, ours):
    by_tool = defaultdict(list)
    for call in calls:
        by_tool[call["tool"]].append(call)
    same(f"{where} tools", [row["tool"] for row in ours], sorted(by_tool))
    for row in ours:
        here = by_tool[row["tool"]]
        latency = np.array([call["latency_ms"] for call in here if call["latency_ms"] is not None], dtype=float)
        label = f"{where} {row['tool']}"
        same(f"{label} p50", row["latency_ms_p50"], np.percentile(latency, 50) if len(latency) else None)
        same(f"{label} p95", row["latency_ms_p95"], np.percentile(latency, 95) if len(latency) else None)
        same(f"{label} mean", row["latency_ms_mean"], np.mean(latency) if len(latency) else None)
        same(f"{label} valid", row["valid_share"], np.mean([call["valid"] for call in here]))
        same(f"{label} failed", row["failure_share"], np.mean([call["status"] in ("tool_error", "timeout", "infra") for call in here]))
        same(f"{label} retried", row["retry_share"], np.mean([(call["attempt"] or 0) > 0 for call in here]))


def check_agreement(where, ratings, ours):
    """Krippendorff's alpha from the matrix of coincidences, as he defines it."""
    coincidences = np.zeros((2, 2))
    units = 0
    for values in ratings:
        m = len(values)
        if m < 2:
            continue
        units += 1
        for i in range(m):
            for j in range(m):
                if i != j:
                    coincidences[values[i], values[j]] += 1 / (m - 1)
    n = coincidences.sum()
    totals = coincidences.sum(axis=1)
    same(f"{where} units", ours["n_units"], units)
    same(f"{where} agreement", ours["agreement"], np.trace(coincidences) / n if n else None)
    expected = 2 * totals[0] * totals[1] / (n * (n - 1)) if n else 0
    observed = (coincidences[0, 1] + coincidences[1, 0]) / n if n else 0
    same(f"{where} alpha", ours["alpha"], 1 - observed / expected if expected else None)


for index, run in enumerate(json.load(sys.stdin)["runs"]):
    where, ours = f"run {index}", run["ours"]
    check_pass_rates(where, run["rollouts"], ours["tallies"])
    check_slice(where, run["rollouts"], ours["slice"])
    check_migration(where, run["rollouts"], ours["migration"])
    check_tools(where, run["calls"], ours["tools"])
    check_agreement(where, run["ratings"], ours["agreement"])

json.dump({"checked": checked, "differences": differences}, sys.stdout)
