/** Looks at what lies in Kafka, Postgres, lake and API once the storm is over. */
import { createHash } from 'node:crypto'
import { DuckDBInstance } from '@duckdb/node-api'
import { sql } from 'kysely'
import { openBlobs } from '#services/blobs/open.ts'
import { readConfig } from '#services/config.ts'
import { openLogReader } from '#services/log/open.ts'
import { silent } from '#services/logger.ts'
import { postgresStore } from '#services/store/postgres.ts'
import type { Found, WholeStep } from './history.ts'

export interface CollectOptions {
  /** LOG_URL, STORE_URL, BLOBS_URL, past the proxies. */
  readonly env: Readonly<Record<string, string>>
  /** A process that runs query. */
  readonly queryUrl: string
  readonly runId: string
  /** For local copies of the lake's files. */
  readonly folder: string
}

type Fields = Record<string, unknown>

const VERIFY_MS_MAX = 300_000

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Everything, with the API asked for the latest state first. */
export async function collect(options: CollectOptions): Promise<Found> {
  const kafka = await kafkaRecords(options)
  const apiSteps = await stepsOfApi(options)
  await json(options, '/v1/snapshots?after=latest&wait=60')
  const [store, lake] = [await rowsOfStore(options), await rowsOfLake(options)]
  return { kafka, apiSteps, ...store, ...lake, differences: await differencesOf(options) }
}

/** What `verify` finds, with the tables and files that the comparison here does not read. */
async function differencesOf({ queryUrl }: CollectOptions): Promise<string[]> {
  const answer = await fetch(`${queryUrl}/v1/verify`, { method: 'POST', signal: AbortSignal.timeout(VERIFY_MS_MAX) })
  const text = await answer.text()
  if (answer.status !== 200) throw new Error(`verify answered ${answer.status}: ${text.slice(0, 500)}`)
  const { ok, differences } = JSON.parse(text) as { ok: boolean; differences: unknown[] }
  const found = differences.map((difference) => JSON.stringify(difference))
  return ok || found.length > 0 ? found : [`verify is not content: ${text.slice(0, 500)}`]
}

async function kafkaRecords({ env }: CollectOptions): Promise<Map<string, number>> {
  const log = await openLogReader(readConfig(env).log)
  const counts = new Map<string, number>()
  try {
    for (const [partition, { start, end }] of (await log.bounds()).entries()) {
      for (let next = start; next < end;) {
        const records = await log.read(partition, next, { recordsMax: 5_000, bytesMax: 2 ** 26 })
        for (const { value } of records) {
          const hash = hashOf(value ?? new Uint8Array())
          counts.set(hash, (counts.get(hash) ?? 0) + 1)
        }
        next = (records.at(-1)?.offset ?? end) + 1
      }
    }
    return counts
  } finally {
    await log.close()
  }
}

async function rowsOfStore({ env }: CollectOptions): Promise<Pick<Found, 'storeSteps' | 'verdicts' | 'accepted'>> {
  const store = await postgresStore({ url: env['STORE_URL'] ?? '', logger: silent })
  try {
    const steps = await store.db.selectFrom('steps').select(['trajectory_id', 'step_index']).execute()
    const { rows } = await sql<{ verdict: string; n: number }>`
      select verdict, count(*)::integer as n from verdicts group by 1`.execute(store.db)
    const totals = await store.db.selectFrom('partition_totals').select('n_accepted').execute()
    return {
      storeSteps: steps.map((row) => ({ trajectoryId: row.trajectory_id, step: row.step_index })),
      verdicts: Object.fromEntries(rows.map(({ verdict, n }) => [verdict, n])),
      accepted: totals.reduce((sum, row) => sum + row.n_accepted, 0),
    }
  } finally {
    await store.close()
  }
}

async function rowsOfLake(options: CollectOptions): Promise<Pick<Found, 'lakeSteps' | 'lakeEvents'>> {
  const blobs = await openBlobs(readConfig({ ...options.env, DATA_DIR: options.folder }).blobs)
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  const query = async (table: string, statement: (from: string) => string): Promise<unknown[][]> => {
    const files = await allRows(options, `/v1/lake/${table}/files`)
    const paths = await Promise.all(files.map((file) => blobs.localPath(String(file['path']))))
    const from = `read_parquet([${paths.map((path) => `'${path}'`).join(', ')}], union_by_name = true)`
    return (await connection.runAndReadAll(statement(from))).getRowsJS() as unknown[][]
  }
  try {
    const steps = await query('steps', (from) => `select trajectory_id, step_index::int, raw_output from ${from}`)
    const events = await query(
      'events',
      (from) =>
        `select sha256(raw), count(*)::int, count(distinct ("partition", "offset"))::int from ${from} group by 1`,
    )
    return {
      lakeSteps: steps.map(([id, step, text]) => ({
        trajectoryId: String(id),
        step: Number(step),
        text: String(text),
      })),
      lakeEvents: new Map(
        events.map(([hash, rows, places]) => [String(hash), { rows: Number(rows), places: Number(places) }]),
      ),
    }
  } finally {
    connection.closeSync()
    instance.closeSync()
    await blobs.close()
  }
}

async function stepsOfApi(options: CollectOptions): Promise<WholeStep[]> {
  const trajectories = await allRows(options, `/v1/trajectories?run=${options.runId}&after=latest&wait=60`)
  const waiting = trajectories.map((row) => String(row['trajectory_id'])).values()
  const found: WholeStep[] = []
  const reader = async (): Promise<void> => {
    for (const trajectoryId of waiting) {
      const whole = await json(options, `/v1/trajectories/${encodeURIComponent(trajectoryId)}`)
      for (const step of whole['steps'] as Fields[])
        found.push({ trajectoryId, step: Number(step['step_index']), text: String(step['raw_output']) })
    }
  }
  await Promise.all([reader(), reader(), reader()])
  return found
}

async function json({ queryUrl }: CollectOptions, path: string): Promise<Fields> {
  const answer = await fetch(`${queryUrl}${path}`, { signal: AbortSignal.timeout(90_000) })
  const text = await answer.text()
  if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${text.slice(0, 500)}`)
  return JSON.parse(text) as Fields
}

async function allRows(options: CollectOptions, path: string): Promise<Fields[]> {
  const rows: Fields[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const more: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page = await json(options, `${path}${path.includes('?') ? '&' : '?'}limit=1000${more}`)
    rows.push(...(page['rows'] as Fields[]))
    cursor = page['next'] as string | null
  }
  return rows
}
