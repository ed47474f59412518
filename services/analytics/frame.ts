/**
 * A frame: the trajectories of a run, or of a lineage of runs, as columns in memory. All statistics are pure functions
 * over it, so that the same numbers come from the store's rows and from the lake's, to the last bit.
 *
 * A row number is where a trajectory lies in the columns and means nothing else; `order` has the rows in the one order
 * in which doubles are added up: (run_id, trajectory_id) by code units. Columns may be longer than `size`.
 * A frame of the store grows and changes between requests, never within the synchronous code that reads it: read it
 * and compute without an `await` in between.
 */
import { Dictionary, Flags, Numbers, Texts } from './columns.ts'
import type { FrameRows, FrameRun, ItemRow, TrajectoryRow } from './frame-rows.ts'
import { ScoreTable, type Scores } from './scores.ts'
import { TrainingTable } from './trainings.ts'

const compareText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)

/** How often each of some names came. */
export type Counts = Readonly<Record<string, number>>

/** Counts by name or code; rows with equal counts share one entry, and few differ. */
class CountMaps {
  readonly texts = new Texts()
  readonly #maps: Counts[] = []
  /** Codes of objects that came before: rows of one load share theirs. */
  readonly #codes = new WeakMap<Counts, number>()

  set(row: number, counts: Counts): void {
    const known = this.#codes.get(counts)
    if (known !== undefined) return this.texts.setCode(row, known)
    const names = Object.keys(counts).sort(compareText)
    this.texts.set(row, JSON.stringify(names.map((name) => [name, counts[name]])))
    const code = this.texts.code(row)
    this.#codes.set(counts, code)
    this.#maps[code] ??= Object.fromEntries(names.map((name) => [name, counts[name] ?? 0]))
  }

  get(row: number): Counts {
    return this.#maps[this.texts.code(row)] ?? {}
  }

  /** Rows with the same code have the same counts. */
  code(row: number): number {
    return this.texts.code(row)
  }

  get bytes(): number {
    return this.texts.bytes * 2
  }
}

/** What is known of the items of a frame, by the codes of `Frame.item`. */
class ItemTable {
  readonly ids = new Dictionary()
  readonly dataset = new Texts()
  readonly family = new Texts()
  readonly split = new Texts()
  readonly distribution = new Texts()
  #version = 0

  /** Grows with each item of which something else is known than before. */
  get version(): number {
    return this.#version
  }

  set(row: ItemRow): void {
    const code = this.ids.add(row.item_id)
    for (const name of ['dataset', 'family', 'split', 'distribution'] as const) {
      const before = this[name].code(code)
      this[name].set(code, row[name])
      if (this[name].code(code) !== before) this.#version += 1
    }
  }

  get bytes(): number {
    return this.ids.bytes + this.dataset.bytes + this.family.bytes + this.split.bytes + this.distribution.bytes
  }
}

/** The groups of a frame, by the codes of `Frame.group`. A group id is of its run: two runs may use the same. */
class GroupTable {
  readonly ids: string[] = []
  /** The index of the run of each group. */
  readonly runs: number[] = []
  readonly #codes = new Dictionary()

  add(run: number, groupId: string): number {
    const code = this.#codes.add(`${run} ${groupId}`)
    if (code === this.ids.length) {
      this.ids.push(groupId)
      this.runs.push(run)
    }
    return code
  }

  get size(): number {
    return this.ids.length
  }

  get bytes(): number {
    return this.#codes.bytes + this.ids.length * 16
  }
}

export class Frame {
  /** The runs, in the order of a lineage (the oldest ancestor first) or of the request. */
  readonly runs: readonly FrameRun[]
  readonly trajectoryIds: string[] = []
  /** The index in `runs` of each row. */
  readonly run = new Numbers()
  readonly partition = new Numbers()
  readonly firstOffset = new Numbers()
  readonly lastOffset = new Numbers()
  readonly finished = new Flags()
  /** Codes of items; what is known of an item is in `items`. */
  readonly items = new ItemTable()
  readonly item = new Texts(this.items.ids)
  /** Codes of groups; which run's group it is, is in `groups`. */
  readonly groups = new GroupTable()
  readonly group = new Texts()
  readonly groupSize = new Numbers()
  readonly rolloutIndex = new Numbers()
  readonly policyVersion = new Numbers()
  readonly trainStep = new Numbers()
  readonly substep = new Numbers()
  readonly actorModel = new Texts()
  readonly status = new Texts()
  readonly endReason = new Texts()
  readonly nSteps = new Numbers()
  readonly nStepsSeen = new Numbers()
  readonly nToolCalls = new Numbers()
  readonly nInvalidToolCalls = new Numbers()
  readonly tools = new CountMaps()
  readonly errorCodes = new CountMaps()
  readonly promptTokens = new Numbers()
  readonly responseTokens = new Numbers()
  readonly obsTokens = new Numbers()
  readonly stepPromptTokensMax = new Numbers()
  readonly stepCompletionTokens = new Numbers()
  readonly stepObsTokens = new Numbers()
  readonly prediction = new Texts()
  readonly nConflicts = new Numbers()
  /** The version of the frame that put the row in last. */
  readonly changedAt = new Numbers()
  readonly trainings = new TrainingTable()
  readonly #scores: ScoreTable
  readonly #rowOf = new Map<string, number>()
  readonly #runIndex: ReadonlyMap<string, number>
  #order = new Uint32Array(0)
  #unordered = false
  #idChars = 0
  #version = 0

  constructor(rows: FrameRows) {
    this.runs = rows.runs
    this.#runIndex = new Map(rows.runs.map(({ run_id }, index) => [run_id, index]))
    this.#scores = new ScoreTable(rows.runs)
    this.update(rows)
  }

  /** How many trajectories there are. */
  get size(): number {
    return this.trajectoryIds.length
  }

  /** Grows by one with each change: what was derived from the frame holds while this stays. */
  get version(): number {
    return this.#version
  }

  /** The rows in order of (run_id, trajectory_id), by code units. */
  get order(): Uint32Array {
    if (this.#unordered) this.#sort()
    return this.#order
  }

  /** The row of a trajectory, or undefined where it is not in the frame. */
  rowOf(trajectoryId: string): number | undefined {
    return this.#rowOf.get(trajectoryId)
  }

  /** The reward versions that there are scores of, sorted. */
  get rewardVersions(): readonly string[] {
    return this.#scores.versions
  }

  /** Scores under a reward version, by row; undefined is that of each row's own run. */
  scores(version: string | undefined): Scores {
    return this.#scores.of(version, this.run.values, this.size)
  }

  /** The size that the group of this row is meant to have, as the row or its run says it. */
  expectedSize(row: number): number | null {
    return this.groupSize.get(row) ?? this.runs[this.run.get(row) ?? 0]?.group_size ?? null
  }

  /** Puts in rows that are new or changed. Rows of runs that the frame does not have are left out. */
  update({ trajectories, items }: Pick<FrameRows, 'trajectories' | 'items'>): void {
    let changes = 0
    for (const row of trajectories) {
      this.#put(row)
      changes += 1
    }
    for (const item of items) {
      this.items.set(item)
      changes += 1
    }
    if (changes > 0) this.#version += 1
  }

  /** About how many bytes of memory it takes. */
  get bytes(): number {
    let total = this.#idChars + this.trajectoryIds.length * 120 + this.#order.byteLength
    for (const part of Object.values(this) as unknown[])
      if (typeof part === 'object' && part !== null && 'bytes' in part) total += Number(part.bytes)
    return total + this.#scores.bytes
  }

  #put(given: TrajectoryRow): void {
    const run = this.#runIndex.get(given.run_id)
    if (run === undefined) return
    const known = this.#rowOf.get(given.trajectory_id)
    const row = known ?? this.trajectoryIds.length
    if (known === undefined) {
      this.#rowOf.set(given.trajectory_id, row)
      this.trajectoryIds.push(given.trajectory_id)
      this.#idChars += given.trajectory_id.length
      this.#unordered = true
    }
    this.changedAt.set(row, this.#version + 1)
    this.run.set(row, run)
    this.partition.set(row, given.partition)
    this.firstOffset.set(row, given.first_offset)
    this.lastOffset.set(row, given.last_offset)
    this.finished.set(row, given.finished)
    this.item.set(row, given.item_id)
    this.group.setCode(row, given.group_id === null ? -1 : this.groups.add(run, given.group_id))
    this.groupSize.set(row, given.group_size)
    this.rolloutIndex.set(row, given.rollout_index)
    this.policyVersion.set(row, given.policy_version)
    this.trainStep.set(row, given.train_step)
    this.substep.set(row, given.substep)
    this.actorModel.set(row, given.actor_model)
    this.status.set(row, given.status)
    this.endReason.set(row, given.end_reason)
    this.#putCounts(row, given)
    this.prediction.set(row, given.prediction)
    this.nConflicts.set(row, given.n_conflicts)
    this.#scores.set(row, run, given.scores)
    this.trainings.set(row, given.trainings)
  }

  #putCounts(row: number, given: TrajectoryRow): void {
    this.nSteps.set(row, given.n_steps)
    this.nStepsSeen.set(row, given.n_steps_seen)
    this.nToolCalls.set(row, given.n_tool_calls)
    this.nInvalidToolCalls.set(row, given.n_invalid_tool_calls)
    this.tools.set(row, given.tools)
    this.errorCodes.set(row, given.error_codes)
    this.promptTokens.set(row, given.prompt_tokens)
    this.responseTokens.set(row, given.response_tokens)
    this.obsTokens.set(row, given.obs_tokens)
    this.stepPromptTokensMax.set(row, given.step_prompt_tokens_max)
    this.stepCompletionTokens.set(row, given.step_completion_tokens)
    this.stepObsTokens.set(row, given.step_obs_tokens)
  }

  /** Puts the rows that came since into the order, each where it belongs: they are few beside those that are in it. */
  #sort(): void {
    const runRank = new Map(
      this.runs
        .map(({ run_id }, index) => ({ run_id, index }))
        .sort((left, right) => compareText(left.run_id, right.run_id))
        .map(({ index }, rank) => [index, rank]),
    )
    const compare = (left: number, right: number): number => {
      const [leftRun, rightRun] = [this.run.get(left) ?? 0, this.run.get(right) ?? 0]
      if (leftRun !== rightRun) return (runRank.get(leftRun) ?? 0) - (runRank.get(rightRun) ?? 0)
      return compareText(this.trajectoryIds[left] ?? '', this.trajectoryIds[right] ?? '')
    }
    const before = this.#order
    const added = Array.from({ length: this.size - before.length }, (_, index) => before.length + index).sort(compare)
    const merged = new Uint32Array(this.size)
    let taken = 0
    for (const [index, row] of added.entries()) {
      let [low, high] = [taken, before.length]
      while (low < high) {
        const middle = (low + high) >> 1
        if (compare(before[middle] ?? 0, row) < 0) low = middle + 1
        else high = middle
      }
      merged.set(before.subarray(taken, low), taken + index)
      merged[low + index] = row
      taken = low
    }
    merged.set(before.subarray(taken), taken + added.length)
    this.#order = merged
    this.#unordered = false
  }
}

/** A frame of plain rows. */
export function frameOf(rows: FrameRows): Frame {
  return new Frame(rows)
}
