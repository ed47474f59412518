/** Folds events about trajectories. All of them lie in one partition, in one order, so the row needs no other. */
import type { ToolCall } from '#schemas/messages.ts'
import { RUN_COUNTS, type Row } from '#schemas/tables.ts'
import { imagesOf } from '#services/core/image-refs.ts'
import type { Fact } from './fact.ts'
import { ACCEPTED, type Outcome, again } from './outcome.ts'
import { type FoldState, rowKey } from './state.ts'
import { countedUp, earlier, flagOrNull, later, numberOrNull, previewOrNull, real, textOrNull } from './values.ts'

type Trajectory = Row<'trajectories'>

function emptyRow(fact: Fact): Trajectory {
  return {
    trajectory_id: String(fact.data['trajectory_id']),
    partition: fact.partition,
    first_offset: fact.offset,
    last_offset: fact.offset,
    run_id: null,
    started_offset: null,
    started_hash: null,
    started_at: null,
    item_id: null,
    group_id: null,
    group_size: null,
    rollout_index: null,
    policy_version: null,
    train_step: null,
    substep: null,
    actor_model: null,
    finished_offset: null,
    finished_hash: null,
    finished_at: null,
    status: null,
    end_reason: null,
    n_steps: null,
    n_steps_seen: 0,
    step_index_max: null,
    n_tool_calls: 0,
    n_invalid_tool_calls: 0,
    tools: {},
    error_codes: {},
    prompt_tokens: null,
    response_tokens: null,
    obs_tokens: null,
    step_prompt_tokens_max: null,
    step_completion_tokens: 0,
    step_obs_tokens: 0,
    prediction: null,
    image_ids: [],
    n_scores: 0,
    n_nonfinite: 0,
    n_annotations: 0,
    n_trainings: 0,
    n_duplicates: 0,
    n_conflicts: 0,
    n_late: 0,
    first_event_at: fact.time,
    last_event_at: fact.time,
    lake_offset: null,
  }
}

/** What a trajectory adds to the totals of its run, as RUN_COUNTS names it. Integers only, so that the order of adding does not matter. */
function contribution(row: Trajectory): readonly number[] {
  return [
    1,
    row.finished_offset === null ? 0 : 1,
    row.n_steps_seen,
    row.n_tool_calls,
    row.n_scores,
    row.n_nonfinite,
    row.n_duplicates,
    row.n_conflicts,
    row.n_late,
  ]
}

function addToRun(state: FoldState, row: Trajectory, before: readonly number[] | undefined): void {
  if (row.run_id === null) return
  const delta = state.runDelta(row.run_id)
  const now = contribution(row)
  for (const [index, name] of RUN_COUNTS.entries()) {
    const more = (now[index] ?? 0) - (before?.[index] ?? 0)
    if (more !== 0 || delta.counts[name] === undefined) delta.counts[name] = (delta.counts[name] ?? 0) + more
  }
  delta.firstEventAt = earlier(delta.firstEventAt, row.first_event_at)
  delta.lastEventAt = later(delta.lastEventAt, row.last_event_at)
}

/**
 * The frame around every trajectory event: finds the row, refuses an event of another run, asks whether the key came
 * before, lets `accept` change the row, and keeps the counts.
 */
function foldInto(
  state: FoldState,
  fact: Fact,
  before: (row: Trajectory) => Outcome | undefined,
  accept: (row: Trajectory) => void,
): Outcome {
  const id = String(fact.data['trajectory_id'])
  const known = state.get('trajectories', id)
  const row = known ?? emptyRow(fact)
  // A run counts a trajectory from the moment that it is known to be the run's; what it brought along comes with it.
  const counted = known === undefined || known.run_id === null ? undefined : contribution(known)
  const outcome = otherRun(row, fact) ?? before(row) ?? ACCEPTED
  if (outcome.verdict === 'accepted') {
    if (row.run_id === null) row.run_id = textOrNull(fact.data, 'run_id')
    row.first_event_at = earlier(row.first_event_at, fact.time)
    row.last_event_at = later(row.last_event_at, fact.time)
    accept(row)
  } else if (outcome.verdict === 'duplicate') {
    row.n_duplicates += 1
  } else {
    row.n_conflicts += 1
  }
  if (outcome.verdict !== 'duplicate') {
    row.last_offset = fact.offset
    if (row.finished_offset !== null) row.lake_offset = fact.offset
  }
  addToRun(state, row, counted)
  state.put('trajectories', id, row)
  return outcome
}

function otherRun(row: Trajectory, fact: Fact): Outcome | undefined {
  const runId = textOrNull(fact.data, 'run_id')
  if (runId === null || row.run_id === null || runId === row.run_id) return undefined
  return {
    verdict: 'conflict',
    firstOffset: row.first_offset,
    code: 'trajectory_of_other_run',
    message: `the trajectory belongs to run ${row.run_id}, the event names ${runId}; prefix trajectory ids with the run`,
  }
}

function addImages(row: Trajectory, found: readonly string[]): void {
  if (found.length === 0) return
  row.image_ids = [...new Set([...(row.image_ids as string[]), ...found])].sort()
}

export function foldStarted(state: FoldState, fact: Fact): Outcome {
  const { data } = fact
  return foldInto(
    state,
    fact,
    (row) =>
      row.started_offset === null ? undefined : again(row.started_offset, row.started_hash ?? '', fact.contentHash),
    (row) => {
      Object.assign(row, {
        started_offset: fact.offset,
        started_hash: fact.contentHash,
        started_at: fact.time,
        item_id: textOrNull(data, 'item_id'),
        group_id: textOrNull(data, 'group_id'),
        group_size: numberOrNull(data, 'group_size'),
        rollout_index: numberOrNull(data, 'rollout_index'),
        policy_version: numberOrNull(data, 'policy_version'),
        train_step: numberOrNull(data, 'train_step'),
        substep: numberOrNull(data, 'substep') ?? 0,
        actor_model: textOrNull(data, 'actor_model'),
      } satisfies Partial<Trajectory>)
      addImages(row, imagesOf(data))
    },
  )
}

function countCalls(row: Trajectory, calls: readonly ToolCall[]): void {
  for (const call of calls) {
    row.n_tool_calls += 1
    row.tools = countedUp(row.tools, call.tool ?? call.name)
    const invalid =
      call.parse_ok === false ||
      call.schema_ok === false ||
      call.valid === false ||
      call.status === 'invalid' ||
      call.status === 'not_found'
    if (invalid) row.n_invalid_tool_calls += 1
    for (const code of call.error_codes ?? []) row.error_codes = countedUp(row.error_codes, code)
  }
}

export function foldStep(state: FoldState, fact: Fact): Outcome {
  const { data } = fact
  const stepIndex = Number(data['step_index'])
  const id = String(data['trajectory_id'])
  return foldInto(
    state,
    fact,
    () => {
      const place = state.step(id, stepIndex)
      return place === undefined ? undefined : again(place.offset, place.contentHash, fact.contentHash)
    },
    (row) => {
      state.addStep(id, stepIndex, { offset: fact.offset, contentHash: fact.contentHash })
      row.n_steps_seen += 1
      row.step_index_max = Math.max(row.step_index_max ?? 0, stepIndex)
      if (row.finished_offset !== null) row.n_late += 1
      countCalls(row, (data['tool_calls'] ?? []) as ToolCall[])
      const promptTokens = numberOrNull(data, 'prompt_tokens')
      if (promptTokens !== null) row.step_prompt_tokens_max = Math.max(row.step_prompt_tokens_max ?? 0, promptTokens)
      row.step_completion_tokens += numberOrNull(data, 'completion_tokens') ?? 0
      row.step_obs_tokens += numberOrNull(data, 'obs_tokens') ?? 0
      addImages(row, imagesOf(data))
    },
  )
}

/** Puts a score; the caller has found that there was none under this version. */
function addScore(state: FoldState, row: Trajectory, fact: Fact, rewardVersion: string): void {
  const reward = real(fact.data['reward'])
  state.put('scores', rowKey(row.trajectory_id, rewardVersion), {
    trajectory_id: row.trajectory_id,
    reward_version: rewardVersion,
    offset: fact.offset,
    content_hash: fact.contentHash,
    reward,
    parts: fact.data['parts'] ?? null,
    answer_match: flagOrNull(fact.data, 'answer_match'),
    format_ok: flagOrNull(fact.data, 'format_ok'),
  })
  row.n_scores += 1
  if (!Number.isFinite(reward)) row.n_nonfinite += 1
}

export function foldFinished(state: FoldState, fact: Fact): Outcome {
  const { data } = fact
  return foldInto(
    state,
    fact,
    (row) =>
      row.finished_offset === null ? undefined : again(row.finished_offset, row.finished_hash ?? '', fact.contentHash),
    (row) => {
      Object.assign(row, {
        finished_offset: fact.offset,
        finished_hash: fact.contentHash,
        finished_at: fact.time,
        status: textOrNull(data, 'status'),
        end_reason: textOrNull(data, 'end_reason'),
        n_steps: numberOrNull(data, 'n_steps'),
        prediction: previewOrNull(data, 'prediction_raw'),
        prompt_tokens: numberOrNull(data, 'prompt_tokens'),
        response_tokens: numberOrNull(data, 'response_tokens'),
        obs_tokens: numberOrNull(data, 'obs_tokens'),
      } satisfies Partial<Trajectory>)
      if (data['reward'] !== undefined) addScore(state, row, fact, '')
    },
  )
}

export function foldScored(state: FoldState, fact: Fact): Outcome {
  const version = String(fact.data['reward_version'])
  const known = state.get('scores', rowKey(String(fact.data['trajectory_id']), version))
  return foldInto(
    state,
    fact,
    () => (known === undefined ? undefined : again(known.offset, known.content_hash, fact.contentHash)),
    (row) => addScore(state, row, fact, version),
  )
}

export function foldTrained(state: FoldState, fact: Fact): Outcome {
  const { data } = fact
  const [trainStep, substep] = [Number(data['train_step']), Number(data['substep'] ?? 0)]
  const key = rowKey(String(data['trajectory_id']), trainStep, substep)
  const known = state.get('trainings', key)
  return foldInto(
    state,
    fact,
    () => (known === undefined ? undefined : again(known.offset, known.content_hash, fact.contentHash)),
    (row) => {
      row.n_trainings += 1
      state.put('trainings', key, {
        trajectory_id: row.trajectory_id,
        train_step: trainStep,
        substep,
        offset: fact.offset,
        content_hash: fact.contentHash,
        run_id: String(data['run_id']),
        policy_version: Number(data['policy_version']),
        kept: flagOrNull(data, 'kept'),
        drop_reason: textOrNull(data, 'drop_reason'),
        advantage: data['advantage'] === undefined ? null : real(data['advantage']),
      })
    },
  )
}

export function foldAnnotated(state: FoldState, fact: Fact): Outcome {
  const { data } = fact
  const annotationId = String(data['annotation_id'])
  const key = rowKey(String(data['trajectory_id']), annotationId)
  const known = state.get('annotations', key)
  return foldInto(
    state,
    fact,
    () => (known === undefined ? undefined : again(known.offset, known.content_hash, fact.contentHash)),
    (row) => {
      row.n_annotations += 1
      state.put('annotations', key, {
        trajectory_id: row.trajectory_id,
        annotation_id: annotationId,
        offset: fact.offset,
        content_hash: fact.contentHash,
        codes: data['codes'],
        step_index: numberOrNull(data, 'step_index'),
        annotator: textOrNull(data, 'annotator'),
        method: textOrNull(data, 'method'),
        round: textOrNull(data, 'round'),
        outcome: textOrNull(data, 'outcome'),
      })
    },
  )
}
