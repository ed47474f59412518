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
  /** Whether any of them has a code. */
  readonly coded: boolean
}

/** The calls of a frame, by row. */
export interface Spans {
  /** Where the calls of each row begin; -1 for rows that are not here. */
  readonly from: Int32Array
  readonly to: Int32Array
  /** 1 where a call has a code or somebody annotated the trajectory: most rows have neither. */
  readonly said: Uint8Array
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
  readonly #annotations = new Map<string, readonly AnnotationRow[]>()
  #size = 0
  #live = 0
  /** The trajectories that were put or annotated since `#spansOf` was made. */
  #fresh: string[] = []
  #spansOf: (Spans & { readonly frame: WeakRef<Frame> }) | undefined

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
    this.#spans.set(trajectoryId, { from, to: this.#size, coded: calls.some(({ codes }) => codes.length > 0) })
    if (this.#spansOf !== undefined) this.#fresh.push(trajectoryId)
  }

  /** Puts the annotations of a trajectory, in log order, in the place of those that are here. */
  annotate(trajectoryId: string, annotations: readonly AnnotationRow[]): void {
    if (annotations.length === 0 && !this.#annotations.delete(trajectoryId)) return
    if (annotations.length > 0) this.#annotations.set(trajectoryId, annotations)
    if (this.#spansOf !== undefined) this.#fresh.push(trajectoryId)
  }

  annotationsOf(trajectoryId: string): readonly AnnotationRow[] {
    return this.#annotations.size === 0 ? NO_ANNOTATIONS : (this.#annotations.get(trajectoryId) ?? NO_ANNOTATIONS)
  }

  /** The calls of each row of a frame. */
  spans(frame: Frame): Spans {
    const known = this.#spansOf?.frame.deref() === frame ? this.#spansOf : undefined
    const before = known?.from.length ?? 0
    if (known !== undefined && before === frame.size && this.#fresh.length === 0) return known
    const from = new Int32Array(frame.size).fill(-1)
    const to = new Int32Array(frame.size).fill(-1)
    const said = new Uint8Array(frame.size)
    const put = (trajectoryId: string, row: number | undefined): void => {
      const span = this.#spans.get(trajectoryId)
      if (span === undefined || row === undefined) return
      from[row] = span.from
      to[row] = span.to
      said[row] = span.coded || this.annotationsOf(trajectoryId).length > 0 ? 1 : 0
    }
    if (known !== undefined) {
      // Rows stay where they lie: what is new are rows and calls that came since.
      from.set(known.from)
      to.set(known.to)
      said.set(known.said)
      for (const trajectoryId of this.#fresh) put(trajectoryId, frame.rowOf(trajectoryId))
    }
    for (let row = before; row < frame.size; row++) put(frame.trajectoryIds[row] ?? '', row)
    this.#fresh = []
    this.#spansOf = { frame: new WeakRef(frame), from, to, said }
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
