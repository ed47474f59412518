/** Random runs for tests of statistics: every oddity that a run may have, from a seed. */
import type { FrameRows, ItemRow, ScoreRow, TrainingRow, TrajectoryRow } from '#services/analytics/frame-rows.ts'

/** A draw of its own, so that the product's is not what tests it: a linear congruential generator of 48 bits (Java's). */
export class Draw {
  #state: bigint

  constructor(seed: number) {
    this.#state = (BigInt(seed) ^ 0x5deece66dn) & ((1n << 48n) - 1n)
  }

  real(): number {
    this.#state = (this.#state * 0x5deece66dn + 11n) & ((1n << 48n) - 1n)
    return Number(this.#state >> 16n) / 2 ** 32
  }

  below(n: number): number {
    return Math.floor(this.real() * n)
  }

  chance(share: number): boolean {
    return this.real() < share
  }

  one<Value>(values: readonly [Value, ...Value[]]): Value {
    return values[this.below(values.length)] ?? values[0]
  }
}

function reward(draw: Draw): number {
  if (draw.chance(0.02)) return draw.one([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
  if (draw.chance(0.2)) return draw.real() * 4 - 2
  return draw.one([2, 1, -1, -1.5, -2, -3])
}

function score(draw: Draw, version: string, offset: number): ScoreRow {
  const value = reward(draw)
  const parts = draw.chance(0.1)
    ? null
    : {
        rep: value < -1 && Number.isFinite(value) ? value : 0,
        format: draw.one([1, 1, -1]),
        ...(draw.chance(0.9) ? { correct: draw.one([0, 1]) } : {}),
        ...(draw.chance(0.05) ? { odd: 'NaN' } : {}),
      }
  return {
    reward_version: version,
    offset,
    reward: value,
    parts,
    answer_match: draw.chance(0.3) ? draw.chance(0.5) : null,
    format_ok: draw.chance(0.8) ? draw.chance(0.9) : null,
  }
}

function trainings(draw: Draw, offset: number, trainStep: number | null): TrainingRow[] {
  if (trainStep === null || draw.chance(0.4)) return []
  return Array.from({ length: draw.one([1, 1, 2]) }, (_, index) => ({
    offset: offset + index,
    train_step: trainStep + draw.below(2),
    substep: draw.below(12),
    policy_version: trainStep + draw.below(4),
    kept: draw.chance(0.1) ? null : draw.chance(0.7),
    drop_reason: draw.chance(0.5) ? draw.one(['zero_variance', 'overlong']) : null,
    advantage: draw.chance(0.1) ? null : draw.chance(0.02) ? Number.NaN : draw.real() * 4 - 2,
  }))
}

/** A run with groups of all kinds: whole, short, of one, with retries, and rollouts without a group. */
export function randomRun(
  seed: number,
): FrameRows & { readonly trajectories: TrajectoryRow[]; readonly items: ItemRow[] } {
  const draw = new Draw(seed)
  const rows: TrajectoryRow[] = []
  const items = new Map<string, ItemRow>()
  let offset = draw.below(100)
  const groups = 1 + draw.below(10)
  const expected = draw.one([1, 2, 4, 8])
  for (let group = 0; group < groups; group++) {
    const item = `item/${draw.below(12)}`
    if (draw.chance(0.9) && !items.has(item))
      items.set(item, {
        item_id: item,
        dataset: draw.one(['ChartQA', 'GeoQA', 'TABMWP', '数据']),
        family: draw.one(['chart', 'geometry']),
        split: 'test',
        distribution: draw.one(['id', 'ood', null]),
      })
    const size = Math.max(1, expected + draw.one([0, 0, 0, -1, 1, 2]))
    const step = draw.chance(0.05) ? null : draw.below(3)
    for (let index = 0; index < size; index++) {
      offset += 10 + draw.below(5)
      const status = draw.one([
        'completed',
        'completed',
        'completed',
        'completed',
        'truncated',
        'aborted',
        'infra_error',
      ])
      const finished = draw.chance(0.93)
      const scored = draw.chance(0.95)
      rows.push({
        trajectory_id: `t${draw.below(1000)}/${group}/${index}`,
        run_id: 'run',
        partition: draw.below(3),
        first_offset: offset,
        last_offset: offset + 9,
        finished,
        item_id: draw.chance(0.98) ? item : null,
        group_id: draw.chance(0.95) ? `g${group}` : null,
        group_size: draw.chance(0.9) ? expected : null,
        rollout_index: draw.chance(0.9) ? index % Math.max(1, expected) : null,
        policy_version: step === null ? 0 : step,
        train_step: step,
        substep: 0,
        actor_model: 'policy',
        status: finished ? status : null,
        end_reason: finished ? draw.one(['answer', 'answer', 'max_tokens', 'max_turns']) : null,
        n_steps: finished ? 1 + draw.below(8) : null,
        n_steps_seen: 1 + draw.below(8),
        n_tool_calls: draw.below(7),
        n_invalid_tool_calls: 0,
        tools: {},
        error_codes: {},
        prompt_tokens: 100,
        response_tokens: draw.chance(0.7) ? draw.below(5000) : null,
        obs_tokens: null,
        step_prompt_tokens_max: null,
        step_completion_tokens: draw.chance(0.7) ? draw.below(3000) : 0,
        step_obs_tokens: 0,
        prediction: finished && draw.chance(0.95) ? draw.one(['A', 'a ', 'B', 'C  c', 'c c']) : null,
        n_conflicts: draw.chance(0.03) ? 1 : 0,
        scores: scored
          ? [
              score(draw, '', offset + 5),
              // The same version by name, before or after: the first in the log counts.
              ...(draw.chance(0.1) ? [score(draw, 'default', offset + 5 + draw.one([-2, 2]))] : []),
              ...(draw.chance(0.3) ? [score(draw, 'second', offset + 6)] : []),
            ]
          : [],
        trainings: trainings(draw, offset + 7, step),
      })
    }
  }
  const runs = [
    {
      run_id: 'run',
      kind: 'rl',
      reward_version: null,
      correct_threshold: draw.chance(0.5) ? null : 1.5,
      group_size: draw.chance(0.5) ? null : expected,
      before_train_step: null,
    },
  ]
  return { runs, trajectories: rows, items: [...items.values()] }
}
