/** Folds events about runs: start, finish, checkpoints, metrics. */
import type { Data } from '#schemas/events/define.ts'
import type { Row } from '#schemas/tables.ts'
import { contentHash } from '#services/core/canonical.ts'
import type { Fact } from './fact.ts'
import { ACCEPTED, type Outcome, again } from './outcome.ts'
import { type FoldState, rowKey } from './state.ts'
import { numberOrNull, real, textOrNull } from './values.ts'

function runRow(state: FoldState, fact: Fact): Row<'runs'> {
  return (
    state.get('runs', String(fact.data['run_id'])) ?? {
      run_id: String(fact.data['run_id']),
      partition: fact.partition,
      first_offset: fact.offset,
      last_offset: fact.offset,
      started_offset: null,
      started_hash: null,
      started_at: null,
      finished_offset: null,
      finished_hash: null,
      finished_at: null,
      kind: null,
      algorithm: null,
      base_model: null,
      parent_run_id: null,
      resumed_at_train_step: null,
      reward_version: null,
      correct_threshold: null,
      group_size: null,
      status: null,
      n_duplicates: 0,
      n_conflicts: 0,
    }
  )
}

/** Makes the row of a run that nothing but its checkpoints or metrics are known of. These do not change it. */
function ensure(state: FoldState, fact: Fact): Outcome {
  if (state.get('runs', String(fact.data['run_id'])) === undefined)
    state.put('runs', String(fact.data['run_id']), runRow(state, fact))
  return ACCEPTED
}

/** Saves the row, with the outcome counted on it. A duplicate alone makes no row and changes nothing but its count. */
function settle(state: FoldState, fact: Fact, row: Row<'runs'>, outcome: Outcome): Outcome {
  if (outcome.verdict === 'duplicate') row.n_duplicates += 1
  else row.last_offset = fact.offset
  if (outcome.verdict === 'conflict') row.n_conflicts += 1
  state.put('runs', row.run_id, row)
  return outcome
}

export function foldRunStarted(state: FoldState, fact: Fact): Outcome {
  const row = runRow(state, fact)
  if (row.started_offset !== null)
    return settle(state, fact, row, again(row.started_offset, row.started_hash ?? '', fact.contentHash))
  const { data } = fact
  Object.assign(row, {
    started_offset: fact.offset,
    started_hash: fact.contentHash,
    started_at: fact.time,
    kind: textOrNull(data, 'kind'),
    algorithm: textOrNull(data, 'algorithm'),
    base_model: textOrNull(data, 'base_model'),
    parent_run_id: textOrNull(data, 'parent_run_id'),
    resumed_at_train_step: numberOrNull(data, 'resumed_at_train_step'),
    reward_version: textOrNull(data, 'reward_version'),
    correct_threshold: numberOrNull(data, 'correct_threshold'),
    group_size: numberOrNull(data, 'group_size'),
  } satisfies Partial<Row<'runs'>>)
  return settle(state, fact, row, ACCEPTED)
}

export function foldRunFinished(state: FoldState, fact: Fact): Outcome {
  const row = runRow(state, fact)
  if (row.finished_offset !== null)
    return settle(state, fact, row, again(row.finished_offset, row.finished_hash ?? '', fact.contentHash))
  Object.assign(row, {
    finished_offset: fact.offset,
    finished_hash: fact.contentHash,
    finished_at: fact.time,
    status: textOrNull(fact.data, 'status'),
  } satisfies Partial<Row<'runs'>>)
  return settle(state, fact, row, ACCEPTED)
}

const sorted = (data: Data): Data =>
  Object.fromEntries(Object.entries(data).sort(([left], [right]) => (left < right ? -1 : 1)))

/** A checkpoint may be published again with further fields; a field that was there already must agree. */
export function foldPolicy(state: FoldState, fact: Fact): Outcome {
  const runId = String(fact.data['run_id'])
  const version = Number(fact.data['policy_version'])
  const key = rowKey(runId, String(version))
  const known = state.get('policies', key)
  if (known === undefined) {
    state.put('policies', key, {
      run_id: runId,
      policy_version: version,
      partition: fact.partition,
      first_offset: fact.offset,
      last_offset: fact.offset,
      train_step: Number(fact.data['train_step']),
      published_at: fact.time,
      data: sorted(fact.data),
    })
    return ensure(state, fact)
  }
  const before = known.data as Data
  const differing = Object.keys(fact.data).filter(
    (field) => Object.hasOwn(before, field) && contentHash(before[field]) !== contentHash(fact.data[field]),
  )
  if (differing.length > 0) {
    return settle(state, fact, runRow(state, fact), {
      verdict: 'conflict',
      firstOffset: known.first_offset,
      code: 'other_content',
      message: `differs in ${differing.join(', ')}; the first one counts`,
    })
  }
  if (Object.keys(fact.data).every((field) => Object.hasOwn(before, field))) {
    return settle(state, fact, runRow(state, fact), { verdict: 'duplicate', firstOffset: known.first_offset })
  }
  known.data = sorted({ ...before, ...fact.data })
  known.last_offset = fact.offset
  state.put('policies', key, known)
  return ensure(state, fact)
}

export function foldMetric(state: FoldState, fact: Fact): Outcome {
  const { data } = fact
  const runId = String(data['run_id'])
  const [trainStep, substep, name] = [Number(data['train_step']), Number(data['substep'] ?? 0), String(data['name'])]
  const key = rowKey(runId, trainStep, substep, name)
  const known = state.get('metrics', key)
  if (known !== undefined)
    return settle(state, fact, runRow(state, fact), again(known.offset, known.content_hash, fact.contentHash))
  state.put('metrics', key, {
    run_id: runId,
    train_step: trainStep,
    substep,
    name,
    offset: fact.offset,
    content_hash: fact.contentHash,
    value: real(data['value']),
  })
  return ensure(state, fact)
}
