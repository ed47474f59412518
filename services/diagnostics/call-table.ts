/** Tool calls and annotations of a run as columns, found by trajectory. */
import { Flags, Numbers, Texts } from '#services/analytics/columns.ts'
import type { Frame } from '#services/analytics/frame.ts'

/** A call as statistics need it. */
export interface CallRow {
  readonly tool: string
  readonly status: string | null
  /** Whether it could be read and fitted, and the environment took it. */
  readonly valid: boolean
  readonly attempt: number | null
  readonly latency_ms: number | null
  /** Error codes by rule. */
  readonly codes: readonly string[]
}

/** What somebody said of a trajectory. */
export interface AnnotationRow {
  readonly codes: readonly string[]
  readonly annotator: string | null
  readonly method: string | null
  readonly round: string | null
  readonly outcome: string | null
}

const NO_ANNOTATIONS: readonly AnnotationRow[] = []

/** The calls of a trajectory lie side by side: [from, to). */
interface Span {
  readonly from: number
  readonly to: number
}

export class CallTable {
  readonly tool = new Texts()
  readonly status = new Texts()
  readonly valid = new Flags()
  readonly attempt = new Numbers()
  readonly latency = new Numbers()
  /** Sets of codes as their sorted names with spaces between; the empty text is none. */
  readonly codes = new Texts()
  readonly #spans = new Map<string, Span>()
  #annotations: ReadonlyMap<string, readonly AnnotationRow[]> = new Map()
  #size = 0
  #live = 0
  #version = 0
  /** The trajectories that were put since `#spansOf` was made. */
  #fresh: string[] = []
  #spansOf: { readonly frame: WeakRef<Frame>; readonly from: Int32Array; readonly to: Int32Array } | undefined

  /** Calls that others were put in the place of: they only take memory. */
  get wasted(): number {
    return this.#size - this.#live
  }

  /** Puts the calls of a trajectory, in order, in the place of those that are here. */
  put(trajectoryId: string, calls: readonly CallRow[]): void {
    const from = this.#size
    for (const call of calls) {
      const at = this.#size++
      this.tool.set(at, call.tool)
      this.status.set(at, call.status)
      this.valid.set(at, call.valid)
      this.attempt.set(at, call.attempt)
      this.latency.set(at, call.latency_ms)
      this.codes.set(at, call.codes.join(' '))
    }
    const before = this.#spans.get(trajectoryId)
    this.#live += calls.length - (before === undefined ? 0 : before.to - before.from)
    this.#spans.set(trajectoryId, { from, to: this.#size })
    this.#version += 1
    if (this.#spansOf !== undefined) this.#fresh.push(trajectoryId)
  }

  /** Grows by one with each change of calls and annotations. */
  get version(): number {
    return this.#version
  }

  /** Puts all annotations in the place of those that are here. */
  annotate(annotations: ReadonlyMap<string, readonly AnnotationRow[]>): void {
    this.#annotations = annotations
    this.#version += 1
  }

  annotationsOf(trajectoryId: string): readonly AnnotationRow[] {
    return this.#annotations.size === 0 ? NO_ANNOTATIONS : (this.#annotations.get(trajectoryId) ?? NO_ANNOTATIONS)
  }

  /** Where the calls of each row of a frame lie; -1 for rows that are not here. */
  spans(frame: Frame): { readonly from: Int32Array; readonly to: Int32Array } {
    const known = this.#spansOf?.frame.deref() === frame ? this.#spansOf : undefined
    const before = known?.from.length ?? 0
    if (known !== undefined && before === frame.size && this.#fresh.length === 0) return known
    const from = new Int32Array(frame.size).fill(-1)
    const to = new Int32Array(frame.size).fill(-1)
    const put = (trajectoryId: string, row: number | undefined): void => {
      const span = this.#spans.get(trajectoryId)
      if (span === undefined || row === undefined) return
      from[row] = span.from
      to[row] = span.to
    }
    if (known !== undefined) {
      // Rows stay where they lie: what is new are rows and calls that came since.
      from.set(known.from)
      to.set(known.to)
      for (const trajectoryId of this.#fresh) put(trajectoryId, frame.rowOf(trajectoryId))
    }
    for (let row = before; row < frame.size; row++) put(frame.trajectoryIds[row] ?? '', row)
    this.#fresh = []
    this.#spansOf = { frame: new WeakRef(frame), from, to }
    return this.#spansOf
  }

  /** The codes of a call. */
  codesOf(call: number): readonly string[] {
    const text = this.codes.get(call) ?? ''
    return text === '' ? [] : text.split(' ')
  }

  /** About how many bytes of memory it takes. */
  get bytes(): number {
    const columns = [this.tool, this.status, this.valid, this.attempt, this.latency, this.codes]
    return columns.reduce((sum, { bytes }) => sum + bytes, 0) + this.#spans.size * 200
  }
}
