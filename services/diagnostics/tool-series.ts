/** How tools did: calls, failures, retries, valid share, latency. */
import { type Bucket, type Dimension, bucketsOf, compareValues } from '#services/analytics/buckets.ts'
import { at } from '#services/analytics/columns.ts'
import { type Selection, rowsWhere } from '#services/analytics/select.ts'
import type { CallTable } from './call-table.ts'

/** Calls of a tool in a bucket. */
export interface ToolStatistics {
  /** The tool after aliases, or as it was called. */
  readonly tool: string
  /** Trajectories that called it. */
  readonly n_trajectories: number
  readonly n_calls: number
  /** Of all calls in the bucket, the share that were of this tool. */
  readonly call_share: number
  /** Calls that could be read, fitted the schema and were taken. */
  readonly n_valid: number
  readonly valid_share: number
  /** Calls whose status is tool_error, timeout or infra. */
  readonly n_failed: number
  readonly failure_share: number
  /** Calls whose attempt is above 0. */
  readonly n_retries: number
  readonly retry_share: number
  /** Calls that say how long they took. */
  readonly n_latency: number
  readonly latency_ms_mean: number | null
  readonly latency_ms_p50: number | null
  readonly latency_ms_p95: number | null
  readonly latency_ms_max: number | null
  /** How often each status came; calls without one are under `unsaid`. */
  readonly statuses: Readonly<Record<string, number>>
}

/** Latencies below this, in ms, are counted in an array. */
const LOW_MAX = 65_536

/** Whole numbers by how often they came: quantiles without holding every value. */
class Counted {
  /** Counts of the values below its length, which most are: a map takes four times as long. */
  #low = new Uint32Array(1024)
  readonly #high = new Map<number, number>()
  n = 0
  #sum = 0

  add(value: number): void {
    this.n += 1
    this.#sum += value
    if (value < this.#low.length) this.#low[value] = (this.#low[value] ?? 0) + 1
    else if (value < LOW_MAX) {
      const grown = new Uint32Array(Math.min(LOW_MAX, 2 ** Math.ceil(Math.log2(value + 1))))
      grown.set(this.#low)
      this.#low = grown
      this.#low[value] = 1
    } else this.#high.set(value, (this.#high.get(value) ?? 0) + 1)
  }

  #sorted(): (readonly [value: number, count: number])[] {
    const found: (readonly [number, number])[] = []
    for (let value = 0; value < this.#low.length; value++) {
      const count = this.#low[value] ?? 0
      if (count > 0) found.push([value, count])
    }
    return [...found, ...[...this.#high].sort(([left], [right]) => left - right)]
  }

  get mean(): number | null {
    return this.n === 0 ? null : this.#sum / this.n
  }

  /** Quantiles between neighbours by straight line, as NumPy has them unless told otherwise. Null of nothing. */
  quantiles(shares: readonly number[]): (number | null)[] {
    if (this.n === 0) return shares.map(() => null)
    const sorted = this.#sorted()
    const valueAt = (place: number): number => {
      let seen = 0
      for (const [value, count] of sorted) {
        seen += count
        if (place < seen) return value
      }
      return sorted.at(-1)?.[0] ?? 0
    }
    return shares.map((share) => {
      const place = share * (this.n - 1)
      const low = valueAt(Math.floor(place))
      const high = valueAt(Math.ceil(place))
      return low + (high - low) * (place - Math.floor(place))
    })
  }
}

class Tool {
  trajectories = 0
  calls = 0
  valid = 0
  retries = 0
  readonly latency = new Counted()
  /** Counts by the code of the status; the first is of calls without one. */
  readonly statuses: number[] = []
  /** The last row that was counted. */
  row = -1
}

const FAILED = new Set(['tool_error', 'timeout', 'infra'])

function statistics(table: CallTable, name: string, tool: Tool, calls: number): ToolStatistics {
  const statuses = tool.statuses.flatMap((count, place) =>
    count === 0 ? [] : [[table.status.dictionary.text(place - 1) ?? 'unsaid', count] as const],
  )
  const failed = statuses.reduce((sum, [status, count]) => sum + (FAILED.has(status) ? count : 0), 0)
  const [p50 = null, p95 = null, max = null] = tool.latency.quantiles([0.5, 0.95, 1])
  return {
    tool: name,
    n_trajectories: tool.trajectories,
    n_calls: tool.calls,
    call_share: tool.calls / calls,
    n_valid: tool.valid,
    valid_share: tool.valid / tool.calls,
    n_failed: failed,
    failure_share: failed / tool.calls,
    n_retries: tool.retries,
    retry_share: tool.retries / tool.calls,
    n_latency: tool.latency.n,
    latency_ms_mean: tool.latency.mean,
    latency_ms_p50: p50,
    latency_ms_p95: p95,
    latency_ms_max: max,
    statuses: Object.fromEntries(statuses.sort(([left], [right]) => compareValues(left, right))),
  }
}

/** The tools of some rows, by name. */
function toolsOf(selection: Selection, table: CallTable, rows: Uint32Array): ToolStatistics[] {
  const { from, to } = table.spans(selection.frame)
  const tools: (Tool | undefined)[] = []
  let calls = 0
  for (const row of rows) {
    for (let call = from[row] ?? -1; call >= 0 && call < (to[row] ?? -1); call++) {
      const code = table.tool.code(call)
      const tool = (tools[code] ??= new Tool())
      if (tool.row !== row) {
        tool.row = row
        tool.trajectories += 1
      }
      calls += 1
      tool.calls += 1
      const status = table.status.code(call) + 1
      tool.statuses[status] = (tool.statuses[status] ?? 0) + 1
      if (table.valid.values[call] === 1) tool.valid += 1
      // An attempt that was not said is NaN, and above nothing.
      if (at(table.attempt.values, call) > 0) tool.retries += 1
      const latency = at(table.latency.values, call)
      if (!Number.isNaN(latency)) tool.latency.add(latency)
    }
  }
  return tools
    .flatMap((tool, code) =>
      tool === undefined ? [] : [statistics(table, table.tool.dictionary.text(code) ?? '', tool, calls)],
    )
    .sort((left, right) => compareValues(left.tool, right.tool))
}

/** The finished trajectories of a selection whose calls are in the table. */
export function withCalls(selection: Selection, table: CallTable): Selection {
  const { from } = table.spans(selection.frame)
  const { finished } = selection.frame
  return rowsWhere(selection, (row) => finished.values[row] === 1 && (from[row] ?? -1) >= 0)
}

/** Tools by bucket: over finished trajectories. */
export function toolSeries(
  selection: Selection,
  table: CallTable,
  by: readonly Dimension[],
): { readonly bucket: Bucket; readonly statistics: ToolStatistics }[] {
  return bucketsOf(selection, by).flatMap((bucket) =>
    toolsOf(selection, table, bucket.rows).map((found) => ({ bucket, statistics: found })),
  )
}
