/**
 * The fold: facts in log order become rows. Pure: no clock, no chance, no I/O. The first fact with a natural key wins;
 * the same again is a duplicate, other content is a conflict, and both are counted where a reader will look.
 */
import type { EventType } from '#schemas/events.ts'
import { foldAcked, foldLeased } from './consumer.ts'
import type { Fact, Judged, Unread } from './fact.ts'
import { foldImage, foldItem } from './item.ts'
import { foldMetric, foldPolicy, foldRunFinished, foldRunStarted } from './run.ts'
import { foldAnnotated, foldFinished, foldScored, foldStarted, foldStep, foldTrained } from './trajectory.ts'
import type { FoldState } from './state.ts'
import { type Outcome, ACCEPTED } from './outcome.ts'

/** What each type of fact does to the rows. */
const FOLDS: Readonly<Record<EventType, (state: FoldState, fact: Fact) => Outcome>> = {
  'run.started': foldRunStarted,
  'run.finished': foldRunFinished,
  'policy.published': foldPolicy,
  'metric.logged': foldMetric,
  'item.registered': foldItem,
  'image.registered': foldImage,
  'image.stored': foldImage,
  'trajectory.started': foldStarted,
  'step.recorded': foldStep,
  'trajectory.finished': foldFinished,
  'trajectory.scored': foldScored,
  'trajectory.trained': foldTrained,
  'trajectory.annotated': foldAnnotated,
  'quarantine.dropped': (state, fact) => settleQuarantined(state, fact, 'dropped'),
  'quarantine.retried': (state, fact) => settleQuarantined(state, fact, 'retried'),
  'consumer.leased': foldLeased,
  'consumer.acked': foldAcked,
}

function settleQuarantined(state: FoldState, fact: Fact, to: 'dropped' | 'retried'): Outcome {
  const id = String(fact.data['quarantine_id'])
  const row = state.get('quarantine', id)
  if (row === undefined || row.state !== 'open')
    return { verdict: 'duplicate', firstOffset: row?.last_offset ?? fact.offset }
  row.state = to
  row.last_offset = fact.offset
  state.put('quarantine', id, row)
  return ACCEPTED
}

/** The same unreadable bytes count once, however often they are sent; when they come again after a drop they are open again. */
function foldUnread(state: FoldState, unread: Unread): void {
  const known = state.get('quarantine', unread.id)
  const row = known ?? {
    quarantine_id: unread.id,
    partition: unread.partition,
    offset: unread.offset,
    last_offset: unread.offset,
    n_seen: 0,
    bytes: unread.bytes,
    code: unread.fault.code,
    message: unread.fault.message,
    pointer: unread.fault.pointer,
    hint: unread.fault.hint,
    state: 'open',
    seen_at: unread.time,
  }
  row.n_seen += 1
  row.last_offset = unread.offset
  row.state = 'open'
  state.put('quarantine', unread.id, row)
}

/** Folds one record. Every row that it needs (`keysOf`) must be loaded. */
export function fold(state: FoldState, judged: Judged): void {
  const verdict = {
    partition: judged.partition,
    offset: judged.offset,
    code: null,
    message: null,
    natural_key: null,
    first_offset: null,
    trajectory_id: null,
    run_id: null,
  }
  if (!judged.readable) {
    foldUnread(state, judged)
    state.countPartition('n_unreadable')
    state.addVerdict({ ...verdict, verdict: 'unreadable', code: judged.fault.code, message: judged.fault.message })
    return
  }
  if (judged.readable === 'elsewhere') {
    state.countPartition('n_misrouted')
    state.addVerdict({ ...verdict, verdict: 'misrouted', code: 'wrong_partition', natural_key: judged.naturalKey })
    return
  }
  const outcome = FOLDS[judged.type](state, judged)
  if (outcome.verdict === 'accepted') {
    state.countPartition('n_accepted')
    return
  }
  const about = {
    ...verdict,
    natural_key: judged.naturalKey,
    first_offset: outcome.firstOffset,
    trajectory_id: typeof judged.data['trajectory_id'] === 'string' ? judged.data['trajectory_id'] : null,
    run_id: typeof judged.data['run_id'] === 'string' ? judged.data['run_id'] : null,
  }
  if (outcome.verdict === 'duplicate') {
    state.countPartition('n_duplicates')
    state.addVerdict({ ...about, verdict: 'duplicate' })
    return
  }
  state.countPartition('n_conflicts')
  state.addVerdict({ ...about, verdict: 'conflict', code: outcome.code, message: outcome.message })
}
