/** Rows of frames from the store: what the projection folded. */
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import type { Offsets } from '#services/position.ts'
import type { StoredRun } from './chain.ts'
import type { ItemRow, ScoreRow, TrainingRow, TrajectoryRow } from './frame-rows.ts'

/** A run as the store has it. */
export function storedRun(db: Kysely<Database>, runId: string): Promise<StoredRun | undefined> {
  return db
    .selectFrom('runs')
    .select([
      'run_id',
      'kind',
      'reward_version',
      'correct_threshold',
      'group_size',
      'parent_run_id',
      'resumed_at_train_step',
    ])
    .where('run_id', '=', runId)
    .executeTakeFirst()
}

/**
 * Rows come as one text with separators, which no id can hold: of 30,000 rows in PGlite an object each took 2,000 ms,
 * one json_agg 350 ms, and this 160 ms.
 */
const FIELD = '\u001f'
const RECORD = '\u001e'
const NULL = '\u001d'

/** Columns of free text, in which separators may occur. */
const FREE = new Set(['actor_model', 'end_reason', 'prediction', 'drop_reason', 'reward_version'])

function fieldOf(alias: string, column: string): RawBuilder<unknown> {
  const value = sql`${sql.ref(`${alias}.${column}`)}::text`
  const clean = FREE.has(column) ? sql`translate(${value}, ${sql.lit(FIELD + RECORD + NULL)}, '   ')` : value
  return sql`coalesce(${clean}, ${sql.lit(NULL)})`
}

type Fields = readonly (string | null)[]

async function listed(
  db: Kysely<Database>,
  alias: string,
  columns: readonly string[],
  from: RawBuilder<unknown>,
): Promise<Fields[]> {
  const fields = sql.join(columns.map((column) => fieldOf(alias, column)))
  const { rows } = await sql<{
    found: string | null
  }>`select string_agg(concat_ws(${sql.lit(FIELD)}, ${fields}), ${sql.lit(RECORD)}) as found from ${from}`.execute(db)
  const text = rows[0]?.found
  if (text === null || text === undefined) return []
  return text.split(RECORD).map((record) => record.split(FIELD).map((field) => (field === NULL ? null : field)))
}

/** Reads the fields of a row one after the other. */
class FieldReader {
  #fields: Fields = []
  #next = 0

  read(fields: Fields): this {
    this.#fields = fields
    this.#next = 0
    return this
  }

  text(): string | null {
    return this.#fields[this.#next++] ?? null
  }

  number(): number | null {
    const text = this.text()
    return text === null ? null : Number(text)
  }

  flag(): boolean | null {
    const text = this.text()
    return text === null ? null : text === 'true'
  }
}

/** Objects by their JSON: few differ, and the same object is told from others faster than its text is parsed. */
function jsonObjects(): (text: string | null) => Readonly<Record<string, unknown>> {
  const known = new Map<string, Readonly<Record<string, unknown>>>()
  const nothing = {}
  return (text) => {
    if (text === null) return nothing
    let found = known.get(text)
    if (found === undefined) known.set(text, (found = JSON.parse(text) as Readonly<Record<string, unknown>>))
    return found
  }
}

const SCORE = ['trajectory_id', 'reward_version', 'offset', 'reward', 'parts', 'answer_match', 'format_ok'] as const

async function scoresIn(db: Kysely<Database>, from: RawBuilder<unknown>): Promise<Map<string, ScoreRow[]>> {
  const found = new Map<string, ScoreRow[]>()
  const reader = new FieldReader()
  const parsed = jsonObjects()
  for (const fields of await listed(db, 'x', SCORE, from)) {
    const row = reader.read(fields)
    const id = row.text() ?? ''
    const score = {
      reward_version: row.text() ?? '',
      offset: row.number() ?? 0,
      reward: row.number() ?? Number.NaN,
      parts: parsed(row.text()),
      answer_match: row.flag(),
      format_ok: row.flag(),
    }
    const known = found.get(id)
    if (known === undefined) found.set(id, [score])
    else known.push(score)
  }
  return found
}

const TRAINING = [
  'trajectory_id',
  'offset',
  'train_step',
  'substep',
  'policy_version',
  'kept',
  'drop_reason',
  'advantage',
] as const

async function trainingsIn(db: Kysely<Database>, from: RawBuilder<unknown>): Promise<Map<string, TrainingRow[]>> {
  const found = new Map<string, TrainingRow[]>()
  const reader = new FieldReader()
  for (const fields of await listed(db, 'x', TRAINING, from)) {
    const row = reader.read(fields)
    const id = row.text() ?? ''
    const training = {
      offset: row.number() ?? 0,
      train_step: row.number() ?? 0,
      substep: row.number() ?? 0,
      policy_version: row.number() ?? 0,
      kept: row.flag(),
      drop_reason: row.text(),
      advantage: row.number(),
    }
    const known = found.get(id)
    if (known === undefined) found.set(id, [training])
    else known.push(training)
  }
  return found
}

const TRAJECTORY = [
  'trajectory_id',
  'run_id',
  'partition',
  'first_offset',
  'last_offset',
  'finished_offset',
  'item_id',
  'group_id',
  'group_size',
  'rollout_index',
  'policy_version',
  'train_step',
  'substep',
  'actor_model',
  'status',
  'end_reason',
  'n_steps',
  'n_steps_seen',
  'n_tool_calls',
  'n_invalid_tool_calls',
  'tools',
  'error_codes',
  'prompt_tokens',
  'response_tokens',
  'obs_tokens',
  'step_prompt_tokens_max',
  'step_completion_tokens',
  'step_obs_tokens',
  'prediction',
  'n_conflicts',
] as const

type Counts = Readonly<Record<string, number>>

/** A row of `trajectories`, its fields in the order of TRAJECTORY. */
function trajectoryOf(
  row: FieldReader,
  parsed: (text: string | null) => Readonly<Record<string, unknown>>,
): Omit<TrajectoryRow, 'scores' | 'trainings'> {
  return {
    trajectory_id: row.text() ?? '',
    run_id: row.text() ?? '',
    partition: row.number() ?? 0,
    first_offset: row.number() ?? 0,
    last_offset: row.number() ?? 0,
    finished: row.text() !== null,
    item_id: row.text(),
    group_id: row.text(),
    group_size: row.number(),
    rollout_index: row.number(),
    policy_version: row.number(),
    train_step: row.number(),
    substep: row.number(),
    actor_model: row.text(),
    status: row.text(),
    end_reason: row.text(),
    n_steps: row.number(),
    n_steps_seen: row.number() ?? 0,
    n_tool_calls: row.number() ?? 0,
    n_invalid_tool_calls: row.number() ?? 0,
    tools: parsed(row.text()) as Counts,
    error_codes: parsed(row.text()) as Counts,
    prompt_tokens: row.number(),
    response_tokens: row.number(),
    obs_tokens: row.number(),
    step_prompt_tokens_max: row.number(),
    step_completion_tokens: row.number() ?? 0,
    step_obs_tokens: row.number() ?? 0,
    prediction: row.text(),
    n_conflicts: row.number() ?? 0,
  }
}

const NONE: readonly never[] = []

/** The trajectories of a relation with the column trajectory_id, with their scores and what trainers did with them. */
async function trajectoriesIn(db: Kysely<Database>, which: RawBuilder<unknown>): Promise<TrajectoryRow[]> {
  const from = (table: string) => sql`${which} w join ${sql.table(table)} x on x.trajectory_id = w.trajectory_id`
  const main = await listed(db, 'x', TRAJECTORY, from('trajectories'))
  const scores = await scoresIn(db, from('scores'))
  const trainings = await trainingsIn(db, from('trainings'))
  const reader = new FieldReader()
  const parsed = jsonObjects()
  return main.map((fields) => {
    const row = trajectoryOf(reader.read(fields), parsed)
    return {
      ...row,
      scores: scores.get(row.trajectory_id) ?? NONE,
      trainings: trainings.get(row.trajectory_id) ?? NONE,
    }
  })
}

/** A page of the trajectories of a run, after an id, in the store's order of ids; `last` is undefined on the last page. */
export async function trajectoryPage(
  db: Kysely<Database>,
  runId: string,
  after: string | undefined,
  limit: number,
): Promise<{ readonly rows: TrajectoryRow[]; readonly last: string | undefined }> {
  const later = after === undefined ? sql`true` : sql`trajectory_id > ${after}::text`
  const found = await sql<{ trajectory_id: string }>`select trajectory_id from trajectories
    where run_id = ${runId}::text and ${later} order by trajectory_id offset ${sql.lit(limit - 1)} limit 1`.execute(db)
  const last = found.rows[0]?.trajectory_id
  const until = last === undefined ? sql`true` : sql`trajectory_id <= ${last}::text`
  const page = sql`(select trajectory_id from trajectories where run_id = ${runId}::text and ${later} and ${until})`
  return { rows: await trajectoriesIn(db, page), last }
}

/** The trajectories with these ids. */
export async function trajectoriesById(db: Kysely<Database>, ids: readonly string[]): Promise<TrajectoryRow[]> {
  if (ids.length === 0) return []
  return trajectoriesIn(
    db,
    sql`(select value as trajectory_id from json_array_elements_text(${JSON.stringify(ids)}::json))`,
  )
}

/**
 * Whether a place is at or above one of these, each in its partition. Written out, so that the planner sees how few rows
 * that is: joined with a list of places it read all 300,000 rows of a run (100 ms and more in PGlite).
 */
export function atOrAbove(alias: string, column: string, from: Offsets): RawBuilder<boolean> {
  const places = [...from].map(
    ([partition, offset]) =>
      sql`(${sql.ref(`${alias}.partition`)} = ${sql.lit(partition)} and ${sql.ref(`${alias}.${column}`)} >= ${sql.lit(offset)})`,
  )
  return places.length === 0 ? sql<boolean>`false` : sql<boolean>`(${sql.join(places, sql` or `)})`
}

/** Where partitions moved between two states, and what they moved from. One that `from` does not name counts from 0. */
export const movedFrom = (from: Offsets, to: Offsets): Offsets =>
  new Map(
    [...to].flatMap(([partition, offset]) => {
      const before = from.get(partition) ?? 0
      return offset > before ? [[partition, before] as const] : []
    }),
  )

/** The ids of trajectories of these runs that events at or after `from` changed. A partition that `from` does not name counts from 0. */
export async function changedSince(
  db: Kysely<Database>,
  runIds: readonly string[],
  from: Offsets,
  to: Offsets,
): Promise<string[]> {
  const moved = movedFrom(from, to)
  if (moved.size === 0 || runIds.length === 0) return []
  const ofRuns = sql`t.run_id in (${sql.join(runIds.map((runId) => sql`${runId}::text`))})`
  const { rows } = await sql<{ ids: string[] | null }>`select json_agg(trajectory_id) as ids from (
    select t.trajectory_id from trajectories t where ${atOrAbove('t', 'lake_offset', moved)} and ${ofRuns}
    union all
    select t.trajectory_id from trajectories t
      where t.finished_offset is null and ${atOrAbove('t', 'last_offset', moved)} and ${ofRuns}) changed`.execute(db)
  return rows[0]?.ids ?? []
}

/** The items with these ids that are registered. */
export async function itemsById(db: Kysely<Database>, ids: readonly string[]): Promise<ItemRow[]> {
  if (ids.length === 0) return []
  return db
    .selectFrom('items')
    .select(['item_id', 'dataset', 'family', 'split', 'distribution'])
    .where(sql<boolean>`item_id in (select value from json_array_elements_text(${JSON.stringify(ids)}::json))`)
    .execute()
}
