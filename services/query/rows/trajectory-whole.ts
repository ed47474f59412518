/** One trajectory, whole: rows from the store, bodies from the log, written out as it is read so that length costs no memory. */
import { type Kysely, sql } from 'kysely'
import { EVENTS } from '#schemas/events.ts'
import type { Database, Row } from '#schemas/tables.ts'
import { promptMessages, stepMessages } from '#services/core/chat.ts'
import { DEFAULT_REWARD_VERSION, isCorrect } from '#services/core/correct.ts'
import type { Offsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import type { QueryDeps } from '#services/query/deps.ts'
import { type KnownImage, imageAnswers } from './image-rows.ts'
import { CURSORS, anyReal } from '#services/query/reading.ts'
import { type Body, bodies, dataAt } from './records.ts'
import type { JoinedScore } from './scored.ts'
import { MISSING_SHOWN, type ScoredRow, trajectoryRow, wholeRows } from './trajectory-rows.ts'

/** The most annotations and trainings that one answer holds. */
const FACTS_MAX = 1000
/** Steps whose bodies are read at a time. */
const STEPS_AT_ONCE = 64

export type StepPlace = Pick<Row<'steps'>, 'step_index' | 'offset'>

/** What the store knows of a trajectory. */
export interface TrajectoryFacts {
  /** What the facts include. */
  readonly offsets: Offsets
  readonly row: ScoredRow
  readonly scores: readonly Record<string, unknown>[]
  readonly annotations: readonly number[]
  readonly trainings: readonly number[]
  readonly images: readonly Record<string, unknown>[]
  readonly missing: readonly number[]
  readonly steps: readonly StepPlace[]
}

function noTrajectory(trajectoryId: string): Problem {
  return new Problem('not_found', `there is no trajectory ${JSON.stringify(trajectoryId.slice(0, 80))}`, {
    hint: 'if it was just sent, read with after=<the position that ingest answered>; ids in paths are URL-encoded',
  })
}

/** The trajectory with its score. Throws `not_found`. */
export async function findTrajectory(
  db: Kysely<Database>,
  trajectoryId: string,
  version: string | undefined,
): Promise<ScoredRow> {
  const row = await wholeRows(db, version).where('t.trajectory_id', '=', trajectoryId).executeTakeFirst()
  if (row === undefined) throw noTrajectory(trajectoryId)
  return row
}

/** Offsets of facts about trajectory `t`, in log order, as a column. */
const offsetsOf = (table: 'annotations' | 'trainings') =>
  sql<
    number[] | null
  >`(select json_agg(f."offset" order by f."offset") from (select "offset" from ${sql.table(table)} where trajectory_id = t.trajectory_id order by "offset" limit ${sql.lit(FACTS_MAX)}) f)`

/** A score as a column of JSON: a reward that is not finite is text there. */
type StoredScore = Omit<Row<'scores'>, 'reward'> & { readonly reward: number | string }

interface ResolvedScore extends JoinedScore {
  readonly version: string
  readonly score_offset: number
  readonly reward: number
  readonly correct: boolean
}

/** The scores by version, in order; where the same version came twice, the first in the log. */
function resolvedScores(scores: readonly StoredScore[], run: Row<'runs'> | null): ResolvedScore[] {
  const byVersion = new Map<string, ResolvedScore>()
  for (const score of [...scores].sort((left, right) => left.offset - right.offset)) {
    const version = score.reward_version === '' ? (run?.reward_version ?? DEFAULT_REWARD_VERSION) : score.reward_version
    if (byVersion.has(version)) continue
    const reward = Number(score.reward)
    const parts = score.parts as Record<string, unknown> | null
    const correct = isCorrect({ reward, parts, answer_match: score.answer_match }, run?.correct_threshold ?? undefined)
    byVersion.set(version, {
      version,
      score_offset: score.offset,
      reward,
      parts,
      correct,
      answer_match: score.answer_match,
      format_ok: score.format_ok,
    })
  }
  return [...byVersion.values()].sort((left, right) => (left.version < right.version ? -1 : 1))
}

function scoreAnswer(score: ResolvedScore, used: string): Record<string, unknown> {
  const { version, score_offset: offset, reward, parts, correct, answer_match, format_ok } = score
  return {
    reward_version: version,
    reward: anyReal(reward),
    parts,
    correct,
    answer_match,
    format_ok,
    offset,
    used: version === used,
  }
}

const NO_SCORE: JoinedScore = {
  version: null,
  score_offset: null,
  reward: null,
  parts: null,
  answer_match: null,
  format_ok: null,
  correct: null,
}

/** The indexes in [0, n) that no step has; the first of them. */
function missingOf(steps: readonly StepPlace[], n: number | null): number[] {
  const missing: number[] = []
  let expected = 0
  const note = (to: number) => {
    for (; expected < to && missing.length < MISSING_SHOWN; expected++) missing.push(expected)
    expected = to + 1
  }
  for (const { step_index: index } of steps) note(index)
  if (n !== null) note(n)
  return missing
}

/**
 * Reads what the store knows, in one statement: its parts agree with each other and with the offsets, and it takes one
 * turn at the store. Everything comes as JSON of plain lookups, and the score is chosen here: planning the joins of the
 * lists took longer than all the rest. Throws `not_found`.
 */
export async function trajectoryFacts(
  db: Kysely<Database>,
  trajectoryId: string,
  version: string | undefined,
  deps: QueryDeps,
): Promise<TrajectoryFacts> {
  const found = await db
    .selectFrom('trajectories as t')
    .where('t.trajectory_id', '=', trajectoryId)
    .select([
      sql<Row<'trajectories'>>`to_json(t)`.as('trajectory'),
      CURSORS.as('cursors'),
      sql<Row<'runs'> | null>`(select to_json(r) from runs r where r.run_id = t.run_id)`.as('run'),
      sql<
        [number, number][] | null
      >`(select json_agg(json_build_array(s.step_index, s."offset") order by s.step_index) from steps s where s.trajectory_id = t.trajectory_id)`.as(
        'steps',
      ),
      sql<StoredScore[] | null>`(select json_agg(s) from scores s where s.trajectory_id = t.trajectory_id)`.as(
        'scores',
      ),
      offsetsOf('annotations').as('annotations'),
      offsetsOf('trainings').as('trainings'),
      sql<
        KnownImage[] | null
      >`(select json_agg(m) from images m where m.image_id in (select json_array_elements_text(t.image_ids)))`.as(
        'images',
      ),
    ])
    .executeTakeFirst()
  if (found === undefined) throw noTrajectory(trajectoryId)
  const { trajectory, run } = found
  const scores = resolvedScores(found.scores ?? [], run)
  const used = version === undefined || version === '*' ? (run?.reward_version ?? DEFAULT_REWARD_VERSION) : version
  const steps = (found.steps ?? []).map(([step_index, offset]) => ({ step_index, offset }))
  return {
    row: { ...trajectory, ...(scores.find((score) => score.version === used) ?? NO_SCORE) },
    steps,
    offsets: new Map(found.cursors ?? []),
    scores: scores.map((score) => scoreAnswer(score, used)),
    annotations: found.annotations ?? [],
    trainings: found.trainings ?? [],
    images: imageAnswers(trajectory.image_ids as string[], found.images ?? [], deps.publicUrl),
    missing: missingOf(steps, trajectory.n_steps),
  }
}

const KNOWN_STEP_FIELDS = new Set(Object.keys(EVENTS['step.recorded'].data.properties))

/** A step as the API shows it. Known fields as sent, others in `extra`. */
export function stepAnswer(place: StepPlace, partition: number, body: Body | undefined): Record<string, unknown> {
  const position = { partition, offset: place.offset }
  if (body?.event.readable !== true)
    return { step_index: place.step_index, position, time: null, appended_at: null, missing_body: true, extra: {} }
  const fields = Object.entries(body.event.data)
  return {
    ...Object.fromEntries(fields.filter(([name]) => KNOWN_STEP_FIELDS.has(name))),
    step_index: place.step_index,
    position,
    time: body.event.time ?? null,
    appended_at: body.appended_at,
    extra: Object.fromEntries(fields.filter(([name]) => !KNOWN_STEP_FIELDS.has(name))),
  }
}

/** The bodies of steps, some at a time, in order. */
export async function* stepBodies(
  deps: QueryDeps,
  partition: number,
  steps: readonly StepPlace[],
): AsyncGenerator<readonly [StepPlace, Body | undefined]> {
  for (let from = 0; from < steps.length; from += STEPS_AT_ONCE) {
    const some = steps.slice(from, from + STEPS_AT_ONCE)
    const found = await bodies(
      deps,
      some.map(({ offset }) => ({ partition, offset })),
    )
    for (const [index, place] of some.entries()) yield [place, found[index]]
  }
}

async function factsAt(
  deps: QueryDeps,
  partition: number,
  offsets: readonly number[],
): Promise<Record<string, unknown>[]> {
  const found = await bodies(
    deps,
    offsets.map((offset) => ({ partition, offset })),
  )
  return found.flatMap((body) =>
    body?.event.readable === true ? [{ ...body.event.data, time: body.event.time ?? null, offset: body.offset }] : [],
  )
}

/** Everything but steps and messages, which follow it in the answer. */
async function head(
  deps: QueryDeps,
  facts: TrajectoryFacts,
  started: Record<string, unknown> | null,
): Promise<Record<string, unknown>> {
  const { row } = facts
  return {
    ...trajectoryRow(row),
    started,
    finish: await dataAt(deps, row.partition, row.finished_offset),
    prompt: promptMessages(started),
    tools: started?.['tools'] ?? [],
    scores: facts.scores,
    annotations: await factsAt(deps, row.partition, facts.annotations),
    trainings: await factsAt(deps, row.partition, facts.trainings),
    images: facts.images,
    positions: {
      partition: row.partition,
      first_offset: row.first_offset,
      last_offset: row.last_offset,
      started_offset: row.started_offset,
      finished_offset: row.finished_offset,
    },
    missing_steps: facts.missing,
  }
}

function* joined(items: readonly unknown[], before: string): Generator<string> {
  let comma = before
  for (const item of items) {
    yield comma + JSON.stringify(item)
    comma = ','
  }
}

/**
 * The JSON text of a whole trajectory, piece by piece. The steps are read twice, for `steps` and for `messages`, so
 * that a trajectory of thousands of steps is never held whole.
 */
export async function* trajectoryText(deps: QueryDeps, facts: TrajectoryFacts): AsyncGenerator<string> {
  const { partition, started_offset: startedOffset } = facts.row
  const started = await dataAt(deps, partition, startedOffset)
  yield `${JSON.stringify(await head(deps, facts, started)).slice(0, -1)},"steps":[`
  let comma = ''
  for await (const [place, body] of stepBodies(deps, partition, facts.steps)) {
    yield comma + JSON.stringify(stepAnswer(place, partition, body))
    comma = ','
  }
  yield '],"messages":['
  const prompt = promptMessages(started)
  yield* joined(prompt, '')
  comma = prompt.length === 0 ? '' : ','
  for await (const [, body] of stepBodies(deps, partition, facts.steps)) {
    if (body?.event.readable !== true) continue
    yield* joined(stepMessages(body.event.data), comma)
    comma = ','
  }
  yield ']}\n'
}

/** A page of steps by index, with one more than asked where there is more. */
export async function stepPlaces(
  db: Kysely<Database>,
  trajectoryId: string,
  after: number,
  limit: number,
): Promise<StepPlace[]> {
  return db
    .selectFrom('steps')
    .select(['step_index', 'offset'])
    .where('trajectory_id', '=', trajectoryId)
    .where(sql<boolean>`step_index > ${after}::bigint`)
    .orderBy('step_index')
    .limit(limit + 1)
    .execute()
}
