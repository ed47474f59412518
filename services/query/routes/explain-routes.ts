/** /v1/explain: everything about one id or one place in the log, for people who wonder what became of something. */
import type { Kysely } from 'kysely'
import Type from 'typebox'
import { json, list, object, text } from '#schemas/fields.ts'
import { LAKE_TABLES } from '#schemas/lake.ts'
import type { Database } from '#schemas/tables.ts'
import type { EventType } from '#schemas/events.ts'
import { naturalKey } from '#services/core/identity.ts'
import { Problem } from '#services/problem.ts'
import type { QueryDeps } from '#services/query/deps.ts'
import { reading, jsonAnswer } from '#services/query/reading.ts'
import { fact, inLake, runTold, trajectoryTold, type LakeFile, type ToldFact } from '#services/query/rows/explained.ts'
import { bodies } from '#services/query/rows/records.ts'
import { runRow, runs } from '#services/query/rows/run-rows.ts'
import { wholeRows } from '#services/query/rows/trajectory-rows.ts'
import { READ_PARAMETERS, route, type Route } from '#services/query/route.ts'

/** Raw bytes are shown up to here. */
const RAW_CHARACTERS_MAX = 2_000
/** Of a record's bytes a line of its explanation has this much. */
const CONTENT_CHARACTERS_MAX = 300

/** One thing that an id names. */
interface Thing {
  readonly kind: string
  readonly says: string
  /** What one wants to know of it, most wanted first. */
  readonly facts: readonly ToldFact[]
  readonly row: unknown
  readonly files: readonly LakeFile[]
  readonly urls: readonly string[]
}

const Explained = object(
  {
    id: text('What was asked about.'),
    found: list(
      object(
        {
          kind: text('record, trajectory, run, group, item, image or quarantine.'),
          says: text('What it is, in a sentence.'),
          facts: list(
            object({ name: text('What is told.'), says: text('What it is.') }, 'A fact.'),
            'What became of it, in words.',
          ),
          row: json('What the store holds of it.'),
          files: list(
            object(
              { table: text('The lake table.'), path: text('The Parquet file.'), snapshot: Type.Integer() },
              'A file.',
            ),
            'Files of the newest snapshot that hold it.',
          ),
          urls: list(text('A URL.'), 'Where to read it.'),
        },
        'One thing that the id names.',
      ),
      'Everything that the id names.',
    ),
  },
  'What an id is.',
)

const explainRoute = route({
  path: '/v1/explain/{id}',
  tag: 'Operations',
  summary: 'Explain an id or a place in the log',
  detail: 'The id of a trajectory, run, group, item, image or quarantined record, or a place as `partition:offset`.',
  pathParameters: { id: 'The id, URL-encoded, or a place such as 2:1034.' },
  parameters: READ_PARAMETERS,
  answers: [{ status: 200, description: 'What it is.', schema: Explained }],
  problems: ['not_found'],
  handle: async (call) => {
    const id = call.path('id')
    const { result, offsets } = await reading(call, async (db) => {
      const found: Thing[] = []
      for (const find of [record, trajectory, run, group, item, image, quarantined])
        found.push(...(await find(db, id, call.deps)))
      return found
    })
    if (result.length === 0) {
      throw new Problem('not_found', `nothing is known of ${JSON.stringify(id.slice(0, 120))}`, {
        hint: 'give the id of a trajectory, run, group, item, image or quarantined record, or a place such as 2:1034',
      })
    }
    return jsonAnswer(call.deps, { id, found: result }, offsets)
  },
})

type Find = (db: Kysely<Database>, id: string, deps: QueryDeps) => Promise<Thing[]>

const url = (deps: QueryDeps, path: string, id: string): string => `${deps.publicUrl}${path}/${encodeURIComponent(id)}`

/** Which lake table the rows of an event type go to, beside `events`. */
const TABLE_OF: Partial<Record<EventType, string>> = {
  'step.recorded': 'steps',
  'item.registered': 'items',
  'trajectory.scored': 'scores',
  'trajectory.annotated': 'annotations',
  'metric.logged': 'metrics',
}

const record: Find = async (db, id, deps) => {
  const match = /^(\d{1,5}):(\d{1,16})$/.exec(id)
  if (match === null) return []
  const place = { partition: Number(match[1]), offset: Number(match[2]) }
  const [found] = await bodies(deps, [place])
  if (found === undefined) return []
  const at = `${place.partition}:${place.offset}`
  const { event, value, appended_at } = found
  const verdict = await db
    .selectFrom('verdicts')
    .selectAll()
    .where('partition', '=', place.partition)
    .where('offset', '=', place.offset)
    .executeTakeFirst()
  const isJudged = (deps.project.offsets.get(place.partition) ?? 0) > place.offset
  const word = verdict?.verdict ?? (isJudged ? 'accepted' : 'not judged yet')
  const table = event.readable ? TABLE_OF[event.type] : undefined
  const about = event.readable
    ? String(event.data['trajectory_id'] ?? event.data['run_id'] ?? event.data['item_id'] ?? event.data['image_id'])
    : undefined
  const kind = event.readable
    ? event.data['trajectory_id'] !== undefined
      ? 'trajectories'
      : event.data['run_id'] !== undefined
        ? 'runs'
        : event.data['item_id'] !== undefined
          ? 'items'
          : 'images'
    : 'quarantine'
  const lake = await inLake(db, place, [
    'events',
    ...(table === undefined || table in LAKE_TABLES === false ? [] : [table]),
  ])
  const content = Buffer.from(value).toString('utf8')
  return [
    {
      kind: 'record',
      facts: [
        fact('place in the log', `${at}, since ${appended_at}`),
        fact(
          'verdict',
          verdict?.message === undefined || verdict.message === null ? word : `${word}: ${verdict.message}`,
        ),
        ...(typeof verdict?.first_offset === 'number'
          ? [fact('the first of its key', `${place.partition}:${verdict.first_offset}`)]
          : []),
        ...(event.readable ? [] : [fact('what to do', event.hint)]),
        fact('lake', lake.says),
        fact(
          'content',
          content.length > CONTENT_CHARACTERS_MAX ? `${content.slice(0, CONTENT_CHARACTERS_MAX)}…` : content,
        ),
      ],
      says: event.readable ? `${event.type}, ${word}` : `no event (${event.code}: ${event.message}), ${word}`,
      row: {
        ...place,
        appended_at,
        verdict: word,
        reason: verdict?.message ?? null,
        first_offset: verdict?.first_offset ?? null,
        natural_key: event.readable ? naturalKey(event.type, event.data) : null,
        data: event.readable ? event.data : null,
        raw: event.readable ? null : Buffer.from(value).toString('utf8').slice(0, RAW_CHARACTERS_MAX),
      },
      files: lake.files,
      urls: about === undefined ? [] : [url(deps, `/v1/${kind}`, about)],
    },
  ]
}

const trajectory: Find = async (db, id, deps) => {
  const scored = await wholeRows(db, undefined).where('t.trajectory_id', '=', id).executeTakeFirst()
  const row = await db.selectFrom('trajectories').selectAll().where('trajectory_id', '=', id).executeTakeFirst()
  if (row === undefined || scored === undefined) return []
  const finished = row.finished_offset === null ? 'unfinished' : `${row.status ?? ''} (${row.end_reason ?? ''})`
  const place = { partition: row.partition, offset: Number(row.finished_offset ?? row.first_offset) }
  const lake = await inLake(db, place, ['trajectories', 'steps', 'tool_calls', 'scores'])
  const conflicts = `${deps.publicUrl}/v1/gaps?kind=conflict&run=${encodeURIComponent(row.run_id ?? '')}`
  return [
    {
      kind: 'trajectory',
      facts: await trajectoryTold(db, scored, lake),
      row,
      says: `a rollout of ${row.item_id ?? 'an unknown item'} in run ${row.run_id ?? 'unknown'}, ${finished}`,
      files: lake.files,
      urls: [url(deps, '/v1/trajectories', id), ...(row.n_conflicts > 0 && row.run_id !== null ? [conflicts] : [])],
    },
  ]
}

const run: Find = async (db, id, deps) => {
  const found = await runs(db).where('n.run_id', '=', id).executeTakeFirst()
  if (found === undefined) return []
  const row = runRow(found, deps.publicUrl)
  const lake =
    found.partition === null
      ? { says: 'nothing of its own: no event of the run itself has come', files: [] }
      : await inLake(db, { partition: found.partition, offset: found.started_offset ?? found.finished_offset ?? 0 }, [
          'runs',
        ])
  const runParameter = `run=${encodeURIComponent(id)}`
  return [
    {
      kind: 'run',
      facts: runTold(row, lake),
      row,
      says: `a run of kind ${found.kind ?? 'unknown'}, ${found.finished_offset === null ? 'not finished' : (found.status ?? 'finished')}`,
      files: lake.files,
      urls: [
        url(deps, '/v1/runs', id),
        `${deps.publicUrl}/v1/trajectories?${runParameter}`,
        `${deps.publicUrl}/v1/datasets/trajectories.parquet?${runParameter}`,
      ],
    },
  ]
}

const group: Find = async (db, id, deps) => {
  const members = await db
    .selectFrom('trajectories')
    .select(['trajectory_id', 'run_id', 'rollout_index', 'status'])
    .where('group_id', '=', id)
    .orderBy('rollout_index')
    .limit(1000)
    .execute()
  return members.length === 0
    ? []
    : [
        {
          kind: 'group',
          says: `a group of ${members.length} rollouts`,
          facts: [
            fact('run', [...new Set(members.map((member) => member.run_id ?? 'not known'))].join(', ')),
            fact('finished', `${members.filter((member) => member.status !== null).length} of ${members.length}`),
          ],
          row: { group_id: id, members },
          files: [],
          urls: [url(deps, '/v1/groups', id)],
        },
      ]
}

const item: Find = async (db, id, deps) => {
  const row = await db.selectFrom('items').selectAll().where('item_id', '=', id).executeTakeFirst()
  if (row === undefined) return []
  const place = { partition: row.partition, offset: Number(row.offset) }
  const lake = await inLake(db, place, ['items'])
  return [
    {
      kind: 'item',
      facts: [
        fact('data set', `${row.dataset}, split ${row.split}, family ${row.family}`),
        fact('place in the log', `${place.partition}:${place.offset}`),
        fact('lake', lake.says),
      ],
      says: `a question of ${row.dataset}`,
      row,
      files: lake.files,
      urls: [url(deps, '/v1/items', id)],
    },
  ]
}

const image: Find = async (db, id, deps) => {
  const row = await db.selectFrom('images').selectAll().where('image_id', '=', id).executeTakeFirst()
  return row === undefined
    ? []
    : [
        {
          kind: 'image',
          facts: [fact('bytes', row.bytes), fact('held', row.stored ? 'yes' : 'no: its bytes have not come')],
          says: `an image of ${row.media_type}, ${row.stored ? 'held' : 'not sent yet'}`,
          row,
          files: [],
          urls: [url(deps, '/v1/images', id)],
        },
      ]
}

const quarantined: Find = async (db, id, deps) => {
  const row = await db.selectFrom('quarantine').selectAll().where('quarantine_id', '=', id).executeTakeFirst()
  return row === undefined
    ? []
    : [
        {
          kind: 'quarantine',
          facts: [
            fact('state', row.state),
            fact('what was wrong', row.message),
            fact('what to do', row.hint),
            fact('place in the log', `${row.partition}:${row.offset}, seen ${row.n_seen} times`),
          ],
          says: `an unreadable record (${row.code}: ${row.message}), ${row.state}`,
          row,
          files: [],
          urls: [url(deps, '/v1/quarantine', id)],
        },
      ]
}

export const EXPLAIN_ROUTES: readonly Route[] = [explainRoute]
