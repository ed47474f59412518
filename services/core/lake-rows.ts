/** Events as rows of the lake tables that hold one row per event: steps, tool_calls, scores, items, annotations, metrics. */
import type { EventData } from '#schemas/events.ts'
import type { ReadEvent } from './event-reader.ts'
import { jsonText } from './lake-message.ts'
import { extraColumn, fieldsBeyond, toldColumns, type LakeRow, type Place } from './lake-place.ts'
import { stepRow, toolCallRows } from './lake-step.ts'

/** The lake tables whose rows come from one event each. */
export type EventTableName = 'steps' | 'tool_calls' | 'scores' | 'items' | 'annotations' | 'metrics'

/** A number that may be one of the words "NaN", "Infinity", "-Infinity", which DuckDB reads as a DOUBLE. */
const realColumn = (value: unknown): number | string | null =>
  typeof value === 'number' || typeof value === 'string' ? value : null

/** The row in `scores` of a trajectory.scored event, or of a trajectory.finished event that bears a reward. */
export function scoreRow(event: ReadEvent, place: Place): LakeRow | undefined {
  const data = event.data as EventData<'trajectory.finished'> | EventData<'trajectory.scored'>
  if (data.reward === undefined || data.reward === null) return undefined
  const parts = data.parts ?? {}
  return {
    trajectory_id: data.trajectory_id,
    reward_version: 'reward_version' in data ? data.reward_version : null,
    ...toldColumns(event, place),
    reward: data.reward,
    parts: jsonText(data.parts),
    r_rep: realColumn(parts['rep']),
    r_format: realColumn(parts['format']),
    r_correct: realColumn(parts['correct']),
    answer_match: data.answer_match,
    format_ok: data.format_ok,
    format_violations: data.format_violations,
    match_method: data.match_method,
    // What else a finish says is in trajectories.finished_extra.
    extra: event.type === 'trajectory.scored' ? extraColumn(event) : null,
  }
}

/** The row of an item.registered event in `items`. */
export function itemRow(event: ReadEvent, place: Place): LakeRow {
  const data = event.data as EventData<'item.registered'>
  return {
    item_id: data.item_id,
    ...toldColumns(event, place),
    dataset: data.dataset,
    family: data.family,
    split: data.split,
    distribution: data.distribution,
    question: data.question,
    question_type: data.question_type,
    choices: data.choices,
    answer: data.answer,
    answer_type: data.answer_type,
    image_ids: data.image_ids,
    metadata: jsonText(data.metadata),
    extra: extraColumn(event),
  }
}

const ANNOTATION_COLUMNS = new Set([
  'annotation_id',
  'trajectory_id',
  'codes',
  'step_index',
  'call_index',
  'annotator',
  'method',
  'round',
  'outcome',
  'rating',
  'rubric',
  'note',
])

/** The row of a trajectory.annotated event in `annotations`. */
export function annotationRow(event: ReadEvent, place: Place): LakeRow {
  const data = event.data as EventData<'trajectory.annotated'>
  return {
    trajectory_id: data.trajectory_id,
    annotation_id: data.annotation_id,
    ...toldColumns(event, place),
    codes: data.codes,
    step_index: data.step_index,
    call_index: data.call_index,
    annotator: data.annotator,
    method: data.method,
    round: data.round,
    outcome: data.outcome,
    rating: data.rating,
    rubric: data.rubric,
    note: data.note,
    extra: fieldsBeyond(data, ANNOTATION_COLUMNS),
  }
}

/** The row of a metric.logged event in `metrics`. */
export function metricRow(event: ReadEvent, place: Place): LakeRow {
  const data = event.data as EventData<'metric.logged'>
  return {
    run_id: data.run_id,
    train_step: data.train_step,
    substep: data.substep ?? 0,
    name: data.name,
    ...toldColumns(event, place),
    value: data.value,
    extra: extraColumn(event),
  }
}

/** Calls `add` for each row that an accepted event gives. */
export function eachLakeRow(event: ReadEvent, place: Place, add: (table: EventTableName, row: LakeRow) => void): void {
  switch (event.type) {
    case 'step.recorded':
      add('steps', stepRow(event, place))
      for (const row of toolCallRows(event, place)) add('tool_calls', row)
      return
    case 'trajectory.finished':
    case 'trajectory.scored': {
      const row = scoreRow(event, place)
      if (row !== undefined) add('scores', row)
      return
    }
    case 'item.registered':
      add('items', itemRow(event, place))
      return
    case 'trajectory.annotated':
      add('annotations', annotationRow(event, place))
      return
    case 'metric.logged':
      add('metrics', metricRow(event, place))
      return
    default:
  }
}

export { messageRow } from './lake-message.ts'
export { stepRow, toolCallRows } from './lake-step.ts'
