/** The rows that a fold reads and writes, in memory. It never asks for a row that was not loaded before. */
import type { ProjectedName, Row } from '#schemas/tables.ts'

/** Tables whose rows are held whole, by key. */
export type KeyedName = Exclude<ProjectedName, 'steps' | 'verdicts' | 'run_totals' | 'partition_totals'>

/** What a step of a trajectory is known by. */
export interface StepPlace {
  readonly offset: number
  readonly contentHash: string
}

/** Key fields as one text; ids hold no control characters, so nothing collides. */
export function rowKey(...parts: readonly (string | number)[]): string {
  return parts.length === 1 ? String(parts[0]) : parts.join('\u0000')
}

/** Counts to add to a row of run_totals or partition_totals. */
export type Totals = Record<string, number>

/** Everything that a batch changed. */
export interface Changes {
  readonly rows: { readonly [Name in KeyedName]?: readonly Row<Name>[] }
  /** Those of `rows` that the store does not hold yet. */
  readonly added: ReadonlySet<object>
  readonly newSteps: readonly Row<'steps'>[]
  readonly verdicts: readonly Row<'verdicts'>[]
  /** Counts to add, by run, with the extremes of event times. */
  readonly runTotals: ReadonlyMap<string, RunDelta>
  /** Counts to add for the partition. */
  readonly partitionTotals: Totals
}

/** What a batch adds to the totals of a run. */
export interface RunDelta {
  readonly counts: Totals
  firstEventAt: string | null
  lastEventAt: string | null
}

type Tables = { [Name in KeyedName]: Map<string, Row<Name> | null> }

const KEYED: readonly KeyedName[] = [
  'runs',
  'policies',
  'items',
  'images',
  'trajectories',
  'scores',
  'trainings',
  'annotations',
  'metrics',
  'quarantine',
  'consumers',
  'consumer_groups',
]

/** The rows of one partition that are in memory, and what changed since the last commit. */
export class FoldState {
  readonly partition: number
  #tables: Tables = Object.fromEntries(KEYED.map((name) => [name, new Map()])) as unknown as Tables
  #steps = new Map<string, Map<number, StepPlace>>()
  #dirty = Object.fromEntries(KEYED.map((name) => [name, new Set<string>()])) as Record<KeyedName, Set<string>>
  #added = new Set<object>()
  #newSteps: Row<'steps'>[] = []
  #verdicts: Row<'verdicts'>[] = []
  #runTotals = new Map<string, RunDelta>()
  #partitionTotals: Totals = {}

  constructor(partition: number) {
    this.partition = partition
  }

  /** Whether it is known what the store holds under a key. */
  knows(table: KeyedName, key: string): boolean {
    return this.#tables[table].has(key)
  }

  /** Notes what the store holds under a key; null for nothing. */
  load<Name extends KeyedName>(table: Name, key: string, row: Row<Name> | null): void {
    this.#tables[table].set(key, row)
  }

  /** Notes the steps of a trajectory that the store holds. */
  loadSteps(trajectoryId: string, steps: Map<number, StepPlace>): void {
    this.#steps.set(trajectoryId, steps)
  }

  /** The row under a key, or undefined where there is none. Throws where the key was not loaded: a fault of ours. */
  get<Name extends KeyedName>(table: Name, key: string): Row<Name> | undefined {
    const row = this.#tables[table].get(key)
    if (row === undefined) throw new Error(`the fold asks for ${table} ${JSON.stringify(key)}, which was not loaded`)
    return row ?? undefined
  }

  /** Sets the row under a key and notes that it changed. Rows are changed in place. */
  put<Name extends KeyedName>(table: Name, key: string, row: Row<Name>): void {
    if (this.#tables[table].get(key) === null) this.#added.add(row)
    this.#tables[table].set(key, row)
    this.#dirty[table].add(key)
  }

  step(trajectoryId: string, stepIndex: number): StepPlace | undefined {
    return this.#steps.get(trajectoryId)?.get(stepIndex)
  }

  addStep(trajectoryId: string, stepIndex: number, place: StepPlace): void {
    let steps = this.#steps.get(trajectoryId)
    if (steps === undefined) this.#steps.set(trajectoryId, (steps = new Map()))
    steps.set(stepIndex, place)
    this.#newSteps.push({
      trajectory_id: trajectoryId,
      step_index: stepIndex,
      offset: place.offset,
      content_hash: place.contentHash,
    })
  }

  addVerdict(verdict: Row<'verdicts'>): void {
    this.#verdicts.push(verdict)
  }

  countPartition(name: string): void {
    this.#partitionTotals[name] = (this.#partitionTotals[name] ?? 0) + 1
  }

  /** The counts that this batch adds to a run. */
  runDelta(runId: string): RunDelta {
    let delta = this.#runTotals.get(runId)
    if (delta === undefined) this.#runTotals.set(runId, (delta = { counts: {}, firstEventAt: null, lastEventAt: null }))
    return delta
  }

  /** Everything that changed since the last call, and forgets that it did. */
  takeChanges(): Changes {
    const rows: Record<string, unknown[]> = {}
    for (const name of KEYED) {
      const dirty = this.#dirty[name]
      if (dirty.size === 0) continue
      rows[name] = [...dirty].map((key) => this.#tables[name].get(key))
      dirty.clear()
    }
    const changes: Changes = {
      rows: rows as Changes['rows'],
      added: this.#added,
      newSteps: this.#newSteps,
      verdicts: this.#verdicts,
      runTotals: this.#runTotals,
      partitionTotals: this.#partitionTotals,
    }
    this.#added = new Set()
    this.#newSteps = []
    this.#verdicts = []
    this.#runTotals = new Map()
    this.#partitionTotals = {}
    return changes
  }

  /**
   * Forgets rows that are not needed soon, oldest first, until at most `trajectoriesMax` trajectories are held.
   * Other tables are forgotten whole when they hold more than that. Call it only when nothing is unsaved.
   */
  shrink(trajectoriesMax: number): void {
    const trajectories = this.#tables.trajectories
    for (const key of trajectories.keys()) {
      if (trajectories.size <= trajectoriesMax) break
      trajectories.delete(key)
      this.#steps.delete(key)
    }
    for (const name of KEYED) {
      if (name !== 'trajectories' && this.#tables[name].size > trajectoriesMax) this.#tables[name].clear()
    }
  }

  /** Moves a trajectory to the young end, so that `shrink` forgets it late. */
  touch(trajectoryId: string): void {
    const row = this.#tables.trajectories.get(trajectoryId)
    if (row === undefined) return
    this.#tables.trajectories.delete(trajectoryId)
    this.#tables.trajectories.set(trajectoryId, row)
  }
}
