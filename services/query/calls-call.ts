/** Reads of tool calls and annotations: those of a snapshot, or as they are now, beside the frame that a call means. */
import type { FrameAt } from '#services/analytics/frames.ts'
import type { Selection } from '#services/analytics/select.ts'
import { CallBook } from '#services/diagnostics/call-book.ts'
import { CALL_TABLES } from '#services/diagnostics/call-rows.ts'
import type { CallTable } from '#services/diagnostics/call-table.ts'
import type { CallSource } from '#services/diagnostics/live-calls.ts'
import { withCalls } from '#services/diagnostics/tool-series.ts'
import { Problem } from '#services/problem.ts'
import type { Store } from '#services/store/store.ts'
import type { QueryDeps } from './deps.ts'
import { type FrameCall, frameOfCall, selectionOf } from './frame-call.ts'
import { lakePaths } from './lake-state.ts'
import { cursorsOf } from './reading.ts'
import { eventsAt } from './rows/records.ts'
import { cutOf, publishedSnapshots } from './snapshots.ts'

/** The tables of each store that is open: they live as long as it does. */
const booksOf = new WeakMap<Store, CallBook>()

function bookOf(store: Store): CallBook {
  let book = booksOf.get(store)
  if (book === undefined) booksOf.set(store, (book = new CallBook()))
  return book
}

function engineOf({ engine }: QueryDeps): NonNullable<QueryDeps['engine']> {
  if (engine !== undefined) return engine
  throw new Problem('unavailable', 'this process does not read the lake', {
    hint: 'ask a server that runs all programs',
  })
}

/** Where the calls of runs as they are now come from. Throws `unavailable` where this process does not read the lake. */
function sourceOf(deps: QueryDeps, runIds: readonly string[]): CallSource {
  return {
    engine: engineOf(deps),
    runIds,
    lake: async () => {
      const { db } = deps.store
      const newest = await publishedSnapshots(db).orderBy('snapshot_id', 'desc').limit(1).executeTakeFirst()
      if (newest === undefined) return undefined
      return { paths: await lakePaths(deps, CALL_TABLES, newest.snapshot_id), cut: cutOf(newest) }
    },
    store: (work) => deps.store.transaction(async ({ db }) => work(db, await cursorsOf(db))),
    events: (places) => eventsAt(deps, places),
  }
}

/** The calls of a frame of the store, of every trajectory that was finished when the frame was read. */
export function liveCalls(deps: QueryDeps, at: FrameAt): Promise<CallTable> {
  const runIds = at.frame.runs.map(({ run_id: runId }) => runId)
  return bookOf(deps.store).live(at, sourceOf(deps, runIds))
}

/** What a call is answered from. */
export interface CallsAt {
  readonly at: FrameAt
  readonly table: CallTable
  /** The finished trajectories that the call means. */
  readonly selection: Selection
  /** What every answer says of its source. */
  readonly source: { readonly snapshot: number | null; readonly n_trajectories: number }
}

export type CallsCall = FrameCall & {
  readonly query: FrameCall['query'] & { readonly run: string; readonly reward_version: string | undefined }
}

/** The calls and the frame that a call asks for. Compute from them before the next `await`. Throws what a frame throws. */
export async function callsOfCall(call: CallsCall): Promise<CallsAt> {
  const { deps, query } = call
  const { snapshot } = query
  const engine = engineOf(deps)
  const at = await frameOfCall(call, [query.run])
  const runIds = at.frame.runs.map(({ run_id: runId }) => runId)
  const table =
    snapshot === undefined
      ? await liveCalls(deps, at)
      : await bookOf(deps.store).at({ engine, paths: await lakePaths(deps, CALL_TABLES, snapshot), runIds, snapshot })
  // The frame may have gone on meanwhile: what finished since it was read has no calls in the table, and is left out.
  const selection = withCalls(selectionOf(at, query), table)
  return { at, table, selection, source: { snapshot: snapshot ?? null, n_trajectories: selection.rows.length } }
}
