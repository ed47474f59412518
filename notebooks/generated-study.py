"""Sends a generated study to STEPSTORE_URL: a teacher, a GRPO run and evaluations, so that every notebook has data.

Its numbers are drawn from a fixed seed and are nobody's results. Sent again, it changes nothing. Only the standard library.
"""

import json
import os
import random
import urllib.request
from datetime import datetime, timedelta, timezone

server = os.environ.get("STEPSTORE_URL", "http://127.0.0.1:7070")
draw = random.Random(20260105)
clock = datetime(2026, 1, 5, 9, tzinfo=timezone.utc)
events = []

# Data set, family, in or out of distribution, and how much harder than the middle.
BENCHMARKS = [
    ("ChartQA", "Chart", "id", 0.05), ("Geometry3K", "Geometry", "id", -0.12), ("GeoQA", "Geometry", "id", -0.02),
    ("UniGeo", "Geometry", "id", -0.05), ("MapQA", "Geospatial", "id", -0.08), ("TABMWP", "Scientific", "ood", 0.12),
    ("AI2D", "Scientific", "ood", 0.1), ("PlotQA", "Chart", "ood", -0.04), ("CLEVR-Math", "3DSpatial", "ood", 0.02),
    ("IconQA", "Others", "ood", 0.04), ("MathVista", "Others", "ood", -0.06),
]
TOOLS = {
    "Chart": ["ChartToTable", "ChartToTable", "QAAnalysis", "OCR"], "Geometry": ["Math", "Multimodal", "CDL"],
    "Geospatial": ["OCR", "OCR", "Detection"], "Scientific": ["OCR", "QAAnalysis"], "3DSpatial": ["Detection", "Segmentation"],
    "Others": ["OCR", "Detection", "QAAnalysis"],
}
TEST_ITEMS = 16


def send(event, **data):
    global clock
    clock += timedelta(seconds=1)
    events.append({"specversion": "1.0", "id": str(len(events)), "source": "/generated-study", "type": event, "time": clock.isoformat(), "data": data})


def likely(chance):
    return draw.random() < chance


def rollout(trajectory, run, item, right, tools=(), well_formed=True, tokens=400, started=None, finished=None):
    """One trajectory: a step for each tool, and the answer."""
    names = {"trajectory_id": trajectory, "run_id": run}
    send("trajectory.started", **names, item_id=item, prompt=[{"role": "user", "content": f"Question {item}?"}], **{"policy_version": 0, **(started or {})})
    for index, (tool, status, codes) in enumerate(tools):
        raw_call = f"<tool_call>{json.dumps({'name': tool, 'arguments': {'image': 0}})}</tool_call>"
        call = {"id": f"c{index}", "raw_call": raw_call, "name": tool, "tool": tool, "arguments": {"image": 0}, "status": status, "valid": not codes,
                "latency_ms": int(draw.lognormvariate(5.5 if tool == "OCR" else 6.2, 0.5)), "error_codes": codes}
        send("step.recorded", **names, step_index=index, action_kind="tool_call", raw_output=f"<think>I look.</think>{raw_call}",
             tool_calls=[call], observation="seen", completion_tokens=tokens // 3)
    answer = "42" if right else str(draw.randint(1, 9))
    send("step.recorded", **names, step_index=len(tools), action_kind="answer", raw_output=f"<think>So.</think><answer>{answer}</answer>", answer_text=answer, completion_tokens=tokens // 2)
    form = 1 if well_formed else -1
    correct = int(right and well_formed)
    send("trajectory.finished", **{**names, "status": "completed", "end_reason": "answer", "n_steps": len(tools) + 1, "reward": form + correct,
         "parts": {"rep": 0, "format": form, "correct": correct}, "answer_match": right, "format_ok": well_formed, "prediction_raw": answer,
         "response_tokens": tokens, **(finished or {})})
    return form + correct


def items(dataset, family, distribution, split, count):
    for index in range(count):
        send("item.registered", item_id=f"{dataset}/{split}/{index}", dataset=dataset, family=family, split=split, distribution=distribution,
             question=f"Question {dataset}/{split}/{index}?", answer=["42"])


def teacher():
    send("run.started", run_id="study-teacher", kind="expert_synthesis")
    for dataset, family, distribution, _ in BENCHMARKS:
        for model, length in ("GPT-5", 1100), ("Qwen2.5VL-72B", 2000), ("Qwen3VL-235B", 3100):
            for index in range(4):
                tools = [(draw.choice(TOOLS[family]), "ok", []) for _ in range(draw.randint(1, 3))]
                rollout(f"study-teacher/{model}/{dataset}/{index}", "study-teacher", f"{dataset}/train/{index}", likely(0.8), tools,
                        tokens=int(draw.gauss(length, length / 5)), started={"actor_model": model})


def training(steps=12, group=8):
    """A run that gets better: items of known difficulty, ever fewer broken calls, rewards that saturate."""
    send("run.started", run_id="study-grpo", kind="rl", algorithm="grpo", base_model="InternVL3-8B", group_size=group, correct_threshold=2)
    pool = [(f"{dataset}/train/{index}", family) for dataset, family, _, _ in BENCHMARKS[:5] for index in range(3)]
    ease = {item: draw.uniform(-0.55, 0.35) for item, _ in pool}
    for step in range(steps):
        send("policy.published", run_id="study-grpo", policy_version=step, train_step=step)
        skill = 0.4 + 0.05 * step
        for item, family in pool:
            chance = min(0.98, max(0.0, skill + ease[item]))
            kept = []
            for index in range(group):
                right, well_formed = likely(chance), likely(0.85 + 0.012 * step)
                broken = likely(0.35 - 0.025 * step)
                tools = [(draw.choice(TOOLS[family]), "tool_error" if broken else "ok", ["E2"] if broken else []) for _ in range(draw.randint(1, 2))]
                name = f"study-grpo/{step}/{item}/{index}"
                long = likely(0.05)
                reward = rollout(name, "study-grpo", item, right, tools, well_formed, int(draw.gauss(420 if right else 600, 90)) + 900 * long,
                                 {"policy_version": step, "train_step": step, "group_id": f"study-grpo/{step}/{item}", "group_size": group,
                                  "rollout_index": index, "actor_model": f"InternVL3-8B step {step}"},
                                 {"status": "truncated", "end_reason": "max_tokens", "overlong": True} if long else {})
                kept.append((name, reward))
            same = len({reward for _, reward in kept}) == 1
            for name, _ in kept:
                send("trajectory.trained", trajectory_id=name, run_id="study-grpo", train_step=step, policy_version=step + (step % 3 == 2),
                     kept=not same, **({"drop_reason": "zero_variance"} if same else {}))
        for name, value in {"actor/ppo_kl": 0.002 + 0.0006 * step, "actor/pg_clipfrac": 0.02 + 0.02 * (step == 7), "actor/entropy": 0.9 - 0.045 * step}.items():
            send("metric.logged", run_id="study-grpo", train_step=step, name=name, value=value + draw.uniform(-0.05, 0.05) * value)


def evaluation(run, model, level, tool_errors=0.0, **settings):
    """One answer for each test item; `level` is the accuracy in the middle. Wrong ones with tools say why."""
    send("run.started", run_id=run, kind="eval", base_model=model, **settings)
    for dataset, _, _, easier in BENCHMARKS:
        for index in range(TEST_ITEMS):
            name, item = f"{run}/{dataset}/{index}", f"{dataset}/test/{index}"
            right = likely(level + easier)
            rollout(name, run, item, right, tokens=int(draw.gauss(330 if right else 470, 80)), started={"actor_model": model})
            if not right and likely(tool_errors):
                codes = [code for code, share in zip(("E1", "E2", "E3", "E4", "E5", "E6"), (0.08, 0.3, 0.18, 0.5, 0.05, 0.55)) if likely(share)]
                send("trajectory.annotated", trajectory_id=name, run_id=run, annotation_id="judge", codes=codes or ["E6"], method="llm", annotator="judge")
            if index < 3 and settings.get("config", {}).get("stage") in ("Base", "SFT", "SFT + GRPO"):
                rating = min(5, max(1, round(draw.gauss(1 + 4 * level, 0.8))))
                send("trajectory.annotated", trajectory_id=name, run_id=run, annotation_id="rater", codes=[], method="human", annotator="rater", rating=rating, rubric="reasoning")


for dataset, family, distribution, _ in BENCHMARKS:
    items(dataset, family, distribution, "train", 4)
    items(dataset, family, distribution, "test", TEST_ITEMS)
teacher()
training()
for model, levels in {"GPT-5": (0.62, 0.64, 0.66, 0.7), "InternVL3-8B": (0.5, 0.45, 0.55, 0.6)}.items():
    for mode, level in zip(("base", "tools", "reasoning", "tools_reasoning"), levels):
        stage = {"config": {"stage": {"base": "Base", "tools": "Base with tools"}[mode]}} if model == "InternVL3-8B" and mode in ("base", "tools") else {}
        evaluation(f"study-eval/{model}/{mode}", model, level, 0.8 if "tools" in mode else 0, mode=mode, **stage)
for stage, algorithm, level in ("SFT", "sft", 0.61), ("GRPO", "grpo", 0.64), ("SFT + PPO", "ppo", 0.66), ("SFT + DAPO", "dapo", 0.69), ("SFT + GRPO", "grpo", 0.73):
    evaluation(f"study-eval/{stage}", "InternVL3-8B", level, 0.5, mode="full", algorithm=algorithm, config={"stage": stage})
for step in range(0, 301, 60):
    evaluation(f"study-eval/checkpoint-{step:03}", "InternVL3-8B", 0.73 - 0.12 * 0.985**step, mode="full", config={"checkpoint": step})

for at in range(0, len(events), 2000):
    body = "\n".join(map(json.dumps, events[at : at + 2000])).encode()
    request = urllib.request.Request(f"{server}/v1/events?strict=true", body, {"content-type": "application/x-ndjson"})
    with urllib.request.urlopen(request) as answer:
        answer.read()
print(f"{len(events)} events sent to {server}")
