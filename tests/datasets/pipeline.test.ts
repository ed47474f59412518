/** Datasets at the end of the whole pipeline: log, project, archive, lake, query. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startArchive, type Archive } from '#services/archive/archive.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { directoryBlobs } from '#services/blobs/directory.ts'
import { datasets, type Datasets } from '#services/datasets/datasets.ts'
import { REASON_NAMES } from '#services/datasets/filters.ts'
import { filesAt, newestSnapshot, snapshotById } from '#services/lake/catalog.ts'
import type { Lake } from '#services/lake/lake.ts'
import { silent } from '#services/logger.ts'
import { formatPosition } from '#services/position.ts'
import { emptyStore } from '#services/project/doubt.ts'
import { startProject, type Project } from '#services/project/project.ts'
import { queryApp } from '#services/query/app.ts'
import type { Store } from '#services/store/store.ts'
import { history, recordOf, type SentEvent } from '#tests/support/histories.ts'
import { inProcessLake } from '#tests/support/in-process-lake.ts'
import { lentStore } from '#tests/support/lent-store.ts'
import { memoryLog, type MemoryLog } from '#tests/support/memory-log.ts'

type Json = Record<string, unknown>

let folder = ''
let store: Store
let lake: Lake
let log: MemoryLog
let blobs: Blobs
let nth = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepstore-pipeline-'))
  store = await lentStore()
  lake = await inProcessLake(join(folder, 'scratch'), () => log)
})
afterAll(async () => {
  await lake.close()
  await store.close()
  await rm(folder, { recursive: true, force: true })
})

async function fresh(): Promise<void> {
  await emptyStore(store)
  log = memoryLog()
  blobs = await directoryBlobs({ folder: join(folder, `blobs-${nth++}`) })
}
beforeEach(fresh)

interface Running {
  readonly get: (path: string) => Promise<Response>
  readonly lines: (path: string) => Promise<Json[]>
  stop(): Promise<void>
}

function served(project: Project, archive: Archive): { app: ReturnType<typeof queryApp>; made: Datasets } {
  const { db } = store
  const made = datasets({
    blobs,
    logger: silent,
    publicUrl: 'http://stepstore.test',
    clock: () => 0,
    scratchDir: join(folder, 'scratch', 'built'),
    runCopy: (request, options) => lake.copy(request, options),
    reach: (offsets, timeoutMs, signal) => archive.reach(offsets, timeoutMs, signal),
    catalog: {
      newest: () => newestSnapshot(db),
      byId: (id) => snapshotById(db, id),
      oldestId: async () => 1,
      filesAt: (table, id) => filesAt(db, table, id),
    },
  })
  return {
    made,
    app: queryApp({
      store,
      log,
      blobs,
      project,
      archive,
      logger: silent,
      clock: () => 0,
      publicUrl: 'http://stepstore.test',
      datasets: made,
    }),
  }
}

async function run(): Promise<Running> {
  const project = await startProject({ log, store, logger: silent })
  const archive = await startArchive({
    log,
    logPlace: { kind: 'lmdb', folder: '' },
    store,
    blobs,
    lake,
    project,
    logger: silent,
    clock: () => Date.now(),
    cutEveryMs: 3_600_000,
    reachEveryMs: 0,
  })
  const { app, made } = served(project, archive)
  const get = async (path: string) => app.request(`http://stepstore.test${path}`)
  return {
    get,
    lines: async (path) => {
      const response = await get(path)
      const text = await response.text()
      if (response.status !== 200) throw new Error(`${path}: ${text}`)
      return text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Json)
    },
    stop: async () => {
      await made.close()
      await archive.stop()
      await project.stop()
    },
  }
}

const send = async (events: readonly SentEvent[]) =>
  formatPosition(log.id, await log.append(events.map((event) => recordOf(event))))

const ALL = REASON_NAMES.map((reason) => `include=${reason}`).join('&')
const SHARED = [
  'run_id',
  'trajectory_id',
  'item_id',
  'group_id',
  'policy_version',
  'train_step',
  'correct',
  'status',
  'end_reason',
  'rollout_index',
]
const pick = (row: Json, names: readonly string[]) => Object.fromEntries(names.map((name) => [name, row[name] ?? null]))
/** The API writes rewards that are not finite as text; JSON lines have null for them. */
const finite = (reward: unknown) => (typeof reward === 'number' ? reward : null)

const LONG = { timeout: 120_000 }

describe('a dataset of what was sent', () => {
  // Ten whole pipelines; what goes on after its time is over would write into the tests after it.
  it('has the trajectories that the API lists, with the same rewards, and the same messages', LONG, async () => {
    await fc.assert(
      fc.asyncProperty(history, async (events) => {
        await fresh()
        const running = await run()
        try {
          const after = `after=${await send(events)}`
          const listed = (
            (await (await running.get(`/v1/trajectories?limit=1000&${after}`)).json()) as { rows: Json[] }
          ).rows
          const rows = await running.lines(`/v1/datasets/trajectories.jsonl?${ALL}&${after}`)
          expect(rows.map((row) => ({ ...pick(row, SHARED), reward: row['reward'] }))).toEqual(
            listed.map((row) => ({ ...pick(row, SHARED), reward: finite(row['reward']) })),
          )
          for (const row of await running.lines(`/v1/datasets/sft.jsonl?${ALL}&${after}`)) {
            const whole = (await (
              await running.get(`/v1/trajectories/${encodeURIComponent(String(row['trajectory_id']))}?${after}`)
            ).json()) as { messages: Json[] }
            const messages = row['messages'] as Json[]
            expect(messages.map((message) => [message['role'], message['content'] ?? null])).toEqual(
              whole.messages.map((message) => [message['role'], message['content'] ?? null]),
            )
            expect(row['loss_mask']).toEqual(messages.map((message) => (message['role'] === 'assistant' ? 1 : 0)))
          }
        } finally {
          await running.stop()
        }
      }),
      { numRuns: 10 },
    )
  })

  it('has the same bytes at its URL after the store was lost, and a late score changes only newer ones', async () => {
    const told = (type: SentEvent['type'], data: Json): SentEvent => ({ type, data, time: '2026-01-01T00:00:00Z' })
    const rollout = (id: string): SentEvent[] => [
      told('trajectory.started', {
        trajectory_id: id,
        run_id: 'r',
        item_id: 'i',
        policy_version: 1,
        prompt: [{ role: 'user', content: 'Q' }],
      }),
      told('step.recorded', { trajectory_id: id, step_index: 0, run_id: 'r', action_kind: 'answer', raw_output: 'A' }),
      told('trajectory.finished', { trajectory_id: id, status: 'completed', end_reason: 'answer', n_steps: 1 }),
    ]
    const first = await run()
    const response = await first.get(`/v1/datasets/sft.jsonl?after=${await send([...rollout('t1'), ...rollout('t2')])}`)
    const url = (response.headers.get('content-location') ?? '').slice('http://stepstore.test'.length)
    const bytes = await response.text()
    expect(bytes.split('\n')).toHaveLength(3)
    const notBuilt = `${url.replace('?', '?run=r&')}`
    await first.stop()

    await emptyStore(store)
    const second = await run()
    try {
      const late = `after=${await send([told('trajectory.scored', { trajectory_id: 't1', reward_version: 'default', reward: 1 })])}`
      expect(
        (await second.lines(`/v1/datasets/sft.jsonl?correct=true&${late}`)).map((row) => row['trajectory_id']),
      ).toEqual(['t1'])
      expect(await (await second.get(url)).text()).toBe(bytes)
      // Built for the first time only now, from a snapshot that was made before the loss.
      expect(await (await second.get(notBuilt)).text()).toBe(bytes)
    } finally {
      await second.stop()
    }
  })

  it('is tied to the policy that was trained on it, from both sides, and stays for it', async () => {
    const told = (type: SentEvent['type'], data: Json): SentEvent => ({ type, data, time: '2026-01-01T00:00:00Z' })
    const running = await run()
    const json = async (path: string) => (await (await running.get(path)).json()) as Json
    try {
      const sent = await send([
        told('trajectory.started', { trajectory_id: 't1', run_id: 'r', item_id: 'i', policy_version: 1 }),
        told('trajectory.finished', { trajectory_id: 't1', status: 'completed', end_reason: 'answer', n_steps: 0 }),
      ])
      const built = await running.get(`/v1/datasets/trajectories.jsonl?after=${sent}`)
      const url = (built.headers.get('content-location') ?? '').replace('stepstore.test', 'another.name:80')
      const etag = (built.headers.get('etag') ?? '').replaceAll('"', '')
      const manifest = (built.headers.get('stepstore-manifest') ?? '').slice('http://stepstore.test'.length)
      expect((await json(manifest))['policies']).toEqual([])
      const published = await send([
        told('policy.published', { run_id: 'r', policy_version: 2, train_step: 9, trained_on: [url] }),
        told('policy.published', { run_id: 'r', policy_version: 3, train_step: 10, trained_on: [`sha256:${etag}`] }),
        told('policy.published', {
          run_id: 'r',
          policy_version: 4,
          train_step: 11,
          trained_on: [`${url}&run=x`, 'b'.repeat(64), url.replace(/snapshot=\d+/, '')],
        }),
      ])
      const state = async (version: number) =>
        (
          (await json(`/v1/policies/r/${version}?after=${published}`))['trained_on'] as {
            state: string
            sha256?: string
          }[]
        ).map((entry) => [entry.state, entry.sha256 === etag])
      expect(await state(2)).toEqual([['built', true]])
      expect(await state(3)).toEqual([['built', true]])
      expect(await state(4)).toEqual([
        ['not_built', false],
        ['unknown', false],
        ['unknown', false],
      ])
      expect((await json(manifest))['policies']).toMatchObject([
        { policy_version: 2 },
        { policy_version: 3, train_step: 10 },
      ])
      expect(((await json('/v1/policies?run=r'))['rows'] as Json[]).map((row) => row['policy_version'])).toEqual([
        2, 3, 4,
      ])
    } finally {
      await running.stop()
    }
  })
})
