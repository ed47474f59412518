"""Computes statistics of runs again, from the published formulas with NumPy, and compares them with what was sent.

stdin: {"runs": [{"seed", "rows", "run", "items", "ours": {...}}]}; stdout: {"checked": n, "differences": [...]}.
"""

import itertools
import json
import math
import sys
from collections import Counter

import numpy as np

TOLERANCE = 1e-9
differences = []
checked = 0


def real(value):
    """Non-finite numbers come as words."""
    return None if value is None else float(value)


def same(where, ours, theirs):
    global checked
    checked += 1
    if ours is None or theirs is None:
        ok = ours is None and theirs is None
    elif isinstance(theirs, (str, bool)):
        ok = ours == theirs
    else:
        ok = math.isclose(float(ours), float(theirs), rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    if not ok and len(differences) < 20:
        differences.append(f"{where}: ours {ours!r}, numpy {theirs!r}")


def score_of(row):
    """The score under the run's version ('default', or '' which means the same): the first in the log."""
    mine = [score for score in row["scores"] if score["reward_version"] in ("", "default")]
    return min(mine, key=lambda score: score["offset"]) if mine else None


def is_correct(score, threshold):
    if score["answer_match"] is not None:
        return score["answer_match"]
    part = (score["parts"] or {}).get("correct")
    if part is not None:
        return float(part) >= 1 - 1e-6
    return real(score["reward"]) >= threshold - 1e-6


def prepared(run):
    threshold = 1.0 if run["run"]["correct_threshold"] is None else run["run"]["correct_threshold"]
    rows = [row for row in run["rows"] if row["n_conflicts"] == 0]
    # By code units, as JavaScript orders text: all ids here are ASCII.
    rows.sort(key=lambda row: row["trajectory_id"])
    for row in rows:
        row["score"] = score_of(row)
        row["reward"] = None if row["score"] is None else real(row["score"]["reward"])
        row["correct"] = None if row["score"] is None else is_correct(row["score"], threshold)
    return rows


def by(rows, key):
    found = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def check_rewards(seed, rows, ours):
    steps = by(rows, lambda row: row["train_step"])
    same(f"{seed} steps", len(ours), len(steps))
    for mine in ours:
        where = f"{seed} rewards of step {mine['train_step']}"
        here = [row for row in steps[mine["train_step"]] if row["finished"]]
        scored = [row for row in here if row["score"] is not None]
        finite = np.array([row["reward"] for row in scored if np.isfinite(row["reward"])])
        same(where + " n", mine["n"], len(scored))
        same(where + " n_unscored", mine["n_unscored"], len(here) - len(scored))
        same(where + " n_nonfinite", mine["n_nonfinite"], len(scored) - len(finite))
        some = len(finite) > 0
        same(where + " mean", mine["reward_mean"], np.mean(finite) if some else None)
        same(where + " std", mine["reward_std"], np.std(finite, ddof=1) if len(finite) > 1 else None)
        same(where + " min", mine["reward_min"], np.min(finite) if some else None)
        for name, share in (("p10", 0.1), ("p50", 0.5), ("p90", 0.9)):
            same(f"{where} {name}", mine[f"reward_{name}"], np.quantile(finite, share) if some else None)
        same(where + " correct", mine["correct_share"], np.mean([row["correct"] for row in scored]) if scored else None)
        said = [row["score"]["format_ok"] for row in scored if row["score"]["format_ok"] is not None]
        same(where + " format", mine["format_ok_share"], np.mean(said) if said else None)
        for name, part in mine["parts"].items():
            values = [(row["score"]["parts"] or {}).get(name) for row in scored]
            values = np.array([float(value) for value in values if value is not None])
            same(f"{where} {name} n", part["n"], len(values))
            values = values[np.isfinite(values)]
            same(f"{where} {name} mean", part["mean"], np.mean(values) if len(values) else None)


def groups_of(rows, run):
    found = []
    for (group,), members in by([row for row in rows if row["group_id"] is not None], lambda row: (row["group_id"],)).items():
        members = sorted(members, key=lambda row: (row["first_offset"], row["partition"]))
        sizes = [row["group_size"] for row in members if row["group_size"] is not None]
        expected = sizes[0] if sizes else run["group_size"]
        standing = {}
        for row in members:
            if row["status"] not in ("completed", "truncated") or row["reward"] is None or not np.isfinite(row["reward"]):
                continue
            key = row["trajectory_id"] if row["rollout_index"] is None else row["rollout_index"]
            standing.setdefault(key, row)
        counted = list(standing.values())
        steps = [row["train_step"] for row in members if row["train_step"] is not None]
        found.append(
            {
                "id": group,
                "step": steps[0] if steps else None,
                "complete": None if expected is None else len(counted) >= expected,
                "members": counted,
                "rewards": np.array([row["reward"] for row in counted]),
            }
        )
    return found


def check_groups(seed, groups, ours):
    steps = by(groups, lambda group: group["step"])
    same(f"{seed} group steps", len(ours), len(steps))
    for mine in ours:
        here = steps[mine["train_step"]]
        where = f"{seed} groups of step {mine['train_step']}"
        counted = [group for group in here if group["complete"] is not False]
        same(where, mine["groups"], len(here))
        same(where + " incomplete", mine["incomplete"], len(here) - len(counted))
        stds = [np.std(group["rewards"], ddof=1) for group in counted if len(group["rewards"]) > 1]
        same(where + " mean_std", mine["mean_std"], np.mean(stds) if stds else None)
        stds = [np.std(group["rewards"]) for group in counted if len(group["rewards"]) > 0]
        same(where + " mean_std_population", mine["mean_std_population"], np.mean(stds) if stds else None)
        uniform = [group for group in counted if len(group["rewards"]) > 1 and len(set(group["rewards"])) == 1]
        same(where + " zero_variance", mine["zero_variance"], len(uniform))
        right = lambda group: [row["correct"] for row in group["members"]]
        same(where + " all_pass", mine["all_pass"], sum(all(right(group)) for group in uniform))
        same(where + " all_fail", mine["all_fail"], sum(not any(right(group)) for group in uniform))
        varied = [group for group in counted if len(set(group["rewards"])) > 1]
        same(where + " effective", mine["effective_share"], len(varied) / len(counted) if counted else 0)
        same(where + " all_fail_kept_by_std", mine["all_fail_kept_by_std"], sum(not any(right(group)) for group in varied))
        kept = [group for group in counted if len(right(group)) == 1 or (0 < sum(right(group)) < len(right(group)))]
        same(where + " dapo", mine["dapo_kept_by_outcome"], len(kept))


def advantage(rewards, kind):
    """verl core_algos.py: sample deviation + 1e-6, a single member has mean 0 and deviation 1; TRL's rloo and unscaled ones."""
    n = len(rewards)
    mean = np.mean(rewards) if n > 1 else 0.0
    if kind == "rloo":
        return [reward - (np.sum(rewards) - reward) / (n - 1) if n > 1 else reward for reward in rewards]
    if kind == "dr_grpo":
        return list(rewards - mean)
    deviation = 1.0 if n == 1 else np.std(rewards, ddof=1 if kind == "verl" else 0)
    return list((rewards - mean) / (deviation + 1e-6))


def check_advantages(seed, groups, ours):
    for kind, rows in ours.items():
        theirs = {}
        for group in groups:
            if group["complete"] is False or len(group["rewards"]) == 0:
                continue
            for row, value in zip(group["members"], advantage(group["rewards"], kind)):
                theirs[row["trajectory_id"]] = value
        same(f"{seed} {kind} n", len(rows), len(theirs))
        for name, value in rows:
            same(f"{seed} {kind} of {name}", value, theirs.get(name))


def estimator(n, c, k):
    """pass@k as published with HumanEval (Chen et al. 2021)."""
    if n - c < k:
        return 1.0
    return 1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1))


def majority(answers, k):
    """Over all ways to draw k: the share of the most frequent answers that is right, ties by lot."""
    said = {}
    for answer, right in answers:
        said.setdefault(answer, []).append(right)
    right_share = {answer: 0.0 if answer is None else sum(rights) / len(rights) for answer, rights in said.items()}
    total, draws = 0.0, 0
    for draw in itertools.combinations([answer for answer, _ in answers], k):
        votes = Counter(draw)
        most = max(votes.values())
        first = [right_share[answer] for answer, n in votes.items() if n == most]
        total += sum(first) / len(first)
        draws += 1
    return total / draws


def check_pass(seed, rows, ours):
    finished = [row for row in rows if row["finished"] and row["score"] is not None and row["item_id"] is not None]
    units = list(by(finished, lambda row: (row["item_id"], row["policy_version"])).values())
    for mine in ours:
        k = mine["k"]
        where = f"{seed} k={k}"
        enough = [unit for unit in units if len(unit) >= k]
        same(where + " n", mine["n"], len(enough))
        same(where + " left out", mine["leftOut"], len(units) - len(enough))
        counts = [(len(unit), sum(row["correct"] for row in unit)) for unit in enough]
        same(where + " pass@k", mine["pass"], np.mean([estimator(n, c, k) for n, c in counts]) if counts else None)
        hats = [math.comb(c, k) / math.comb(n, k) for n, c in counts]
        same(where + " pass^k", mine["pass_hat"], np.mean(hats) if hats else None)
        best, worst, majorities = [], [], []
        for unit in units:
            rewards = [row["reward"] for row in unit if np.isfinite(row["reward"])]
            if len(rewards) >= k:
                draws = list(itertools.combinations(rewards, k))
                best.append(sum(map(max, draws)) / len(draws))
                worst.append(sum(map(min, draws)) / len(draws))
            if len(unit) >= k:
                said = [None if row["prediction"] is None else " ".join(row["prediction"].lower().split()) for row in unit]
                majorities.append(majority(list(zip(said, [row["correct"] for row in unit])), k))
        same(where + " best", mine["best"], np.mean(best) if best else None)
        same(where + " worst", mine["worst"], np.mean(worst) if worst else None)
        same(where + " maj", mine["maj"], np.mean(majorities) if majorities else None)


def check_benchmarks(seed, rows, items, ours):
    items = {item["item_id"]: item for item in items}
    finished = [row for row in rows if row["finished"] and row["score"] is not None and row["item_id"] in items]
    for version, here in by(finished, lambda row: row["policy_version"]).items():
        accuracy = {}
        sets = by(here, lambda row: (items[row["item_id"]]["dataset"], items[row["item_id"]]["distribution"]))
        for key, members in sets.items():
            per_item = by(members, lambda row: row["item_id"])
            accuracy[key] = np.mean([np.mean([row["correct"] for row in unit]) for unit in per_item.values()])
        for name, wanted in (("ID", ("id",)), ("OOD", ("ood",)), ("All", ("id", "ood", None))):
            of = [value for (_, distribution), value in accuracy.items() if distribution in wanted]
            mine = [row for row in ours if row["kind"] == "mean" and row["dataset"] == name and row["policy_version"] == version]
            if mine and mine[0]["accuracy"] is not None or of:
                same(f"{seed} {name} of {version}", mine[0]["accuracy"] if mine else None, np.mean(of) if of else None)
        for (dataset, distribution), value in accuracy.items():
            mine = [
                row["accuracy"]
                for row in ours
                if (row["dataset"], row["distribution"], row["policy_version"], row["kind"]) == (dataset, distribution, version, "dataset")
            ]
            same(f"{seed} {dataset} {distribution} of {version}", mine[0] if mine else None, value)


def check_counterfactual(seed, rows, groups, ours):
    means = {row["trajectory_id"]: np.mean(group["rewards"]) for group in groups for row in group["members"]}
    for formula, mine in ours.items():
        values = []
        for row in rows:
            if not row["finished"] or row["score"] is None:
                continue
            parts = row["score"]["parts"] or {}
            need = {"dense": ("format", "correct"), "sparse": ("format", "correct")}.get(formula, ())
            if any(parts.get(name) is None for name in need):
                continue
            if formula == "dense":
                values.append(-1 + 0.5 * parts["format"] + 0.5 * parts["correct"] + parts["format"] * parts["correct"])
            elif formula == "sparse":
                values.append(parts["format"] * parts["correct"])
            elif row["trajectory_id"] in means and not np.isnan(row["reward"]):
                difficulty = means[row["trajectory_id"]]
                values.append(row["reward"] * (np.clip(2 - difficulty, 0, 1) * 0.5 + 0.5))
        values = np.array([value for value in values if np.isfinite(value)])
        same(f"{seed} {formula} mean", mine["mean"], np.mean(values) if len(values) else None)
        same(f"{seed} {formula} std", mine["std"], np.std(values, ddof=1) if len(values) > 1 else None)


def check_trained(seed, rows, ours):
    facts = [(fact, row) for row in rows for fact in row["trainings"]]
    steps = by(facts, lambda pair: (pair[0]["train_step"], pair[0]["substep"]))
    same(f"{seed} trained steps", len(ours), len(steps))
    for mine in ours:
        here = steps[(mine["train_step"], mine["substep"])]
        where = f"{seed} trained {mine['train_step']}.{mine['substep']}"
        stale = np.array([fact["policy_version"] - row["policy_version"] for fact, row in here])
        same(where + " mean", mine["staleness"]["mean"], np.mean(stale))
        same(where + " p90", mine["staleness"]["p90"], np.quantile(stale, 0.9))
        same(where + " kept", mine["n_kept"], sum(fact["kept"] is True for fact, _ in here))


for one in json.load(sys.stdin)["runs"]:
    seed, ours = one["seed"], one["ours"]
    rows = prepared(one)
    groups = groups_of(rows, one["run"])
    check_rewards(seed, rows, ours["rewards"])
    check_groups(seed, groups, ours["groups"])
    check_advantages(seed, groups, ours["advantages"])
    check_pass(seed, rows, ours["pass"])
    check_benchmarks(seed, rows, one["items"], ours["benchmarks"])
    check_counterfactual(seed, rows, groups, ours["counterfactual"])
    check_trained(seed, rows, ours["trained"])

print(json.dumps({"checked": checked, "differences": differences}))
