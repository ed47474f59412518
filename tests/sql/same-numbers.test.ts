import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { EventType } from '#schemas/events.ts'
import type { Datasets } from '#services/datasets/datasets.ts'
import { random as randomOf } from '#services/gym/random.ts'
import { filePathsAt } from '#services/lake/catalog.ts'
import { silent } from '#services/logger.ts'
import { queryApp } from '#services/query/app.ts'
import { openSql, type Sql } from '#services/sql/sql.ts'
import { rollout } from '#tests/query/rollouts.ts'
import { ArchiveWorld, type Running } from '#tests/support/archive-world.ts'
import { recordOf } from '#tests/support/histories.ts'

type Row = Record<string, unknown>

let world: ArchiveWorld
let running: Running
let sql: Sql
let app: ReturnType<typeof queryApp>

/** Rollouts in groups with retries, NaN, broken ones and ones that are not finished, under two reward versions. */
function histories(): (readonly [EventType, Row, string?])[] {
  const random = randomOf(3, 'same numbers')
  const events: (readonly [EventType, Row, string?])[] = [
    ['run.started', { run_id: 'r1', kind: 'rl', reward_version: 'v', group_size: 4, correct_threshold: 2 }],
    ['item.registered', { item_id: 'item-0', dataset: 'D', family: 'F', split: 'train', question: '?', answer: ['1'] }],
  ]
  for (let index = 0; index < 120; index++) {
    const id = `t${index}`
    const finished = random.int(0, 9) > 0
    const reward = [0, 1, 2, 2, 0.1, 'NaN'][random.int(0, 5)] ?? 0
    events.push(
      ...rollout({
        id,
        item: `item-${index % 3}`,
        group: `g${index % 12}`,
        index: random.int(0, 5),
        size: 4,
        trainStep: index % 4,
        finished,
        steps: 1,
        status: random.int(0, 9) > 1 ? 'completed' : 'infra_error',
        ...(random.int(0, 9) > 0 ? { reward } : {}),
      }),
    )
    if (finished && random.int(0, 3) === 0)
      events.push([
        'trajectory.scored',
        { trajectory_id: id, reward_version: random.int(0, 1) === 0 ? 'v' : 'other', reward: 1 },
      ])
  }
  return events
}

async function asked(text: string): Promise<Row[]> {
  const answer = await app.request('http://127.0.0.1/v1/sql?after=latest', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sql: text }),
  })
  const body = (await answer.json()) as { rows: Row[] }
  expect(answer.status, JSON.stringify(body)).toBe(200)
  return body.rows
}

async function listed(path: string): Promise<Row[]> {
  const rows: Row[] = []
  for (let cursor = ''; ;) {
    const answer = await app.request(`http://127.0.0.1${path}&limit=50${cursor === '' ? '' : `&cursor=${cursor}`}`)
    const body = (await answer.json()) as { rows: Row[]; next: string | null }
    rows.push(...body.rows)
    if (body.next === null) return rows
    cursor = body.next
  }
}

beforeAll(async () => {
  world = await ArchiveWorld.open()
  running = await world.run()
  sql = await openSql({
    blobs: world.blobs,
    filesAt: (tables, id) => filePathsAt(world.store.db, tables, id),
    folder: join(world.folder, 'sql'),
    logger: silent,
    processes: 1,
  })
  app = queryApp({
    store: world.store,
    log: world.log,
    blobs: world.blobs,
    project: running.project,
    archive: running.archive,
    sql,
    datasets: {} as Datasets,
    logger: silent,
    clock: () => 0,
    publicUrl: 'http://127.0.0.1:7070',
  })
  const events = histories().map(([type, data]) => recordOf({ type, data, time: '2026-01-01T00:00:00Z' }))
  const offsets = await world.log.append(events)
  await running.project.waitFor(offsets, 10_000)
})
afterAll(async () => {
  await sql.close()
  await running.stop()
  await world.close()
})

it('groups says of each group what /v1/groups says', async () => {
  const names = [
    'group_id',
    'run_id',
    'item_id',
    'train_step',
    'policy_version',
    'expected_size',
    'size',
    'complete',
    'zero_variance',
    'zero_variance_kind',
  ]
  const numbers = ['reward_mean', 'reward_std', 'reward_std_population']
  const rounded = (value: unknown) => (typeof value === 'number' ? value.toFixed(9) : value)
  const shown = (rows: readonly Row[]) =>
    rows.map((row) => [...names.map((name) => row[name]), ...numbers.map((name) => rounded(row[name]))])
  const groups = await listed('/v1/groups?run=r1')
  expect(groups).toHaveLength(12)
  expect(shown(await asked('SELECT * FROM groups ORDER BY run_id, group_id'))).toEqual(shown(groups))
})

it('rollouts says of each finished trajectory what /v1/trajectories says', async () => {
  const names = ['trajectory_id', 'run_id', 'item_id', 'reward', 'correct', 'format_ok', 'status', 'n_steps']
  const shown = (rows: readonly Row[]) => rows.map((row) => names.map((name) => row[name]))
  const finished = (await listed('/v1/trajectories?run=r1')).filter((row) => row['finished'] === true)
  const inOrder = finished.sort((left, right) =>
    String(left['trajectory_id']) < String(right['trajectory_id']) ? -1 : 1,
  )
  expect(finished.length).toBeGreaterThan(80)
  expect(shown(await asked('SELECT * FROM rollouts ORDER BY trajectory_id'))).toEqual(shown(inOrder))
  expect(await asked("SELECT DISTINCT family FROM rollouts WHERE item_id = 'item-0'")).toEqual([{ family: 'F' }])
})

it('answers from a state that includes what after names, and says which', async () => {
  const answer = await app.request('http://127.0.0.1/v1/sql?after=latest', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sql: 'SELECT count(*) AS n FROM events', format: 'csv' }),
  })
  expect(await answer.text()).toBe(`n\n${[...(await world.ends()).values()].reduce((sum, end) => sum + end, 0)}\n`)
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-type': 'text/csv; charset=utf-8; header=present',
    'stepstore-rows': '1',
    'stepstore-snapshot': '1',
    'content-length': expect.stringMatching(/^\d+$/),
  })
})

it.each([
  ['{"sql": "SELECT 1", "snapshot": 9}', 404, 'not_found'],
  ['{"sql": "SELECT 1", "formt": "csv"}', 400, 'invalid'],
  ['{"sql": 1}', 400, 'invalid'],
  ['{"sql": "SELECT 1", "params": {"a": {}}}', 400, 'invalid'],
  ['[]', 400, 'invalid'],
  ['{', 400, 'invalid'],
  ['{"sql": "DROP VIEW runs"}', 403, 'sql_refused'],
  ['{"sql": "SELECT * FROM range(200000)"}', 422, 'sql_limit'],
])('%s is answered with %i', async (body, status, code) => {
  const answer = await app.request('http://127.0.0.1/v1/sql', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([status, code])
})
