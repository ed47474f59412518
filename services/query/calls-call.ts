/** Reads of tool calls and annotations: the table of a snapshot, beside the frame that a call means. */
import type { FrameAt } from '#services/analytics/frames.ts'
import type { Selection } from '#services/analytics/select.ts'
import { CallBook } from '#services/diagnostics/call-book.ts'
import { CALL_TABLES } from '#services/diagnostics/call-rows.ts'
import type { CallTable } from '#services/diagnostics/call-table.ts'
import { withCalls } from '#services/diagnostics/tool-series.ts'
import { Problem } from '#services/problem.ts'
import type { Store } from '#services/store/store.ts'
import { type FrameCall, frameOfCall, selectionOf } from './frame-call.ts'
import { lakePaths, lakeState } from './lake-state.ts'

/** The tables of each store that is open: they live as long as it does. */
const booksOf = new WeakMap<Store, CallBook>()

function bookOf(store: Store): CallBook {
  let book = booksOf.get(store)
  if (book === undefined) booksOf.set(store, (book = new CallBook()))
  return book
}

/** What a call is answered from. */
export interface CallsAt {
  readonly at: FrameAt
  readonly table: CallTable
  /** The finished trajectories that the call means and the snapshot has. */
  readonly selection: Selection
  /** The finished trajectories that it means and the snapshot has not. */
  readonly missing: Selection
  /** What every answer says of its source. */
  readonly source: { readonly snapshot: number; readonly n_trajectories: number; readonly n_not_in_lake: number }
}

export type CallsCall = FrameCall & {
  readonly query: FrameCall['query'] & { readonly run: string; readonly reward_version: string | undefined }
}

/** The calls and the frame that a call asks for. Compute from them before the next `await`. Throws what a frame throws. */
export async function callsOfCall(call: CallsCall): Promise<CallsAt> {
  const { deps, query } = call
  const { engine } = deps
  if (engine === undefined)
    throw new Problem('unavailable', 'this process does not read the lake', {
      hint: 'ask a server that runs all programs',
    })
  const state = await lakeState(call, query.snapshot)
  const { frame } = await frameOfCall(call, [query.run])
  const runIds = frame.runs.map(({ run_id: runId }) => runId)
  const paths = await lakePaths(deps, CALL_TABLES, state.id)
  const table = await bookOf(deps.store).read({ engine, paths, runIds, snapshot: query.snapshot })
  // Once more, as the frame may have gone on meanwhile.
  const at = await frameOfCall(call, [query.run])
  const { selection, missing, ...counts } = withCalls(selectionOf(at, query), table)
  return { at, table, selection, missing, source: { snapshot: state.id, ...counts } }
}
