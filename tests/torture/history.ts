/** What clients did and what became of it, as they saw it. The checker knows nothing else of them. */
import type { Offsets } from '#services/position.ts'

/** One event, sent until it was acknowledged or the run ended. */
export interface SentFact {
  /** SHA-256 of its bytes, in hex. */
  readonly hash: string
  readonly trajectoryId: string
  /** The step that it records; null for another event. */
  readonly step: number | null
  /** What the policy wrote, for a step. */
  readonly text: string | null
  /** How often its bytes may have reached a server. */
  attempts: number
  /** How often a server said that it has it. */
  acks: number
  /** How often a server said that it does not: over budget, or not able. */
  refusals: number
}

/** An answer to a read that asked for a state. */
export interface SeenRead {
  readonly trajectoryId: string
  /** The state that was asked for. */
  readonly after: Offsets
  /** The state that the answer says it includes; undefined where it says none. */
  readonly position: Offsets | undefined
  /** Steps whose acknowledgement the state that was asked for includes. */
  readonly acked: readonly number[]
  /** Steps in the answer. */
  readonly found: readonly number[]
}

/** An answer to a question for a snapshot that includes a state. */
export interface SeenSnapshot {
  readonly after: Offsets
  /** What the newest snapshot of the answer includes; undefined where there is none. */
  readonly cut: Offsets | undefined
}

export interface History {
  readonly facts: readonly SentFact[]
  readonly reads: readonly SeenRead[]
  readonly snapshots: readonly SeenSnapshot[]
}

/** A step as some part of the system holds it. */
export interface FoundStep {
  readonly trajectoryId: string
  readonly step: number
}

/** A step with what the policy wrote. */
export interface WholeStep extends FoundStep {
  readonly text: string
}

/** What lies in every part after the storm. */
export interface Found {
  /** How often each record's bytes are in Kafka, by hash. */
  readonly kafka: ReadonlyMap<string, number>
  /** How often each record's bytes are in the lake's events, and how many places in the log they say to have. */
  readonly lakeEvents: ReadonlyMap<string, { readonly rows: number; readonly places: number }>
  /** Every row, so that one that is there twice comes twice. */
  readonly storeSteps: readonly FoundStep[]
  readonly lakeSteps: readonly WholeStep[]
  readonly apiSteps: readonly WholeStep[]
  /** Verdicts of the store by kind. */
  readonly verdicts: Readonly<Record<string, number>>
  /** Records that the store counts as facts. */
  readonly accepted: number
  /** Where log, store, lake and Delta logs differ, as `verify` says. */
  readonly differences: readonly string[]
}
