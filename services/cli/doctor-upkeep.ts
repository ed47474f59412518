/** What `doctor` says of lag, quarantine, files and orphans, and of the room that runs take. */
import type { Config } from '#services/config.ts'
import { silent } from '#services/logger.ts'
import type { Upkeep } from '#services/verify/upkeep.ts'
import type { Client } from './client.ts'
import { fields, rowsOf, textOf } from './client.ts'
import { count, size, table, type Paint } from './terminal.ts'

/** Asks the server; with none running, a Postgres can be asked itself. Undefined where nobody can tell. */
export async function askUpkeep(settings: Config, server: Client | undefined, now: Date): Promise<Upkeep | undefined> {
  if (server !== undefined) return (await server.get('/v1/upkeep')) as Upkeep
  if (settings.store.kind !== 'postgres') return undefined
  const [{ openStore }, { openLogReader }, { upkeepOf }] = await Promise.all([
    import('#services/store/open.ts'),
    import('#services/log/open.ts'),
    import('#services/verify/upkeep.ts'),
  ])
  const store = await openStore(settings.store, { logger: silent, clock: () => now, onDoubt: () => {} })
  try {
    const log = await openLogReader(settings.log)
    try {
      return await upkeepOf(store.db, await log.bounds(), now.getTime())
    } finally {
      await log.close()
    }
  } finally {
    await store.close()
  }
}

/** The lines of the section. */
export function upkeepRows(upkeep: Upkeep | undefined, { dim }: Paint): string[][] {
  if (upkeep === undefined) return [['state', dim('known to a running server only')]]
  const { lag, quarantined, snapshots, unpublished, delta_behind: delta, files, superseded, orphans } = upkeep
  const behind = (pick: (one: Upkeep['lag'][number]) => number): string => {
    const all = lag.reduce((sum, one) => sum + pick(one), 0)
    const each = lag.filter((one) => pick(one) > 0).map((one) => `${one.partition}: ${count(pick(one))}`)
    return all === 0 ? 'nothing' : `${count(all)} records  ${dim(`by partition ${each.join(', ')}`)}`
  }
  const objects = ({ n, bytes }: { n: number; bytes: number }): string => `${count(n)}, ${size(bytes)}`
  return [
    ['store lacks', behind((one) => one.store_behind)],
    ['lake lacks', behind((one) => one.lake_behind)],
    ['Delta logs lack', delta === 0 ? 'nothing' : `${count(delta)} snapshots`],
    ['snapshots', `${count(snapshots)}${unpublished === 0 ? '' : `, and ${count(unpublished)} not published yet`}`],
    ['files', `${objects(files)}  ${dim(`older snapshots: ${objects(superseded)}; orphans: ${objects(orphans)}`)}`],
    ['quarantine', count(quarantined)],
  ]
}

/** The room that a run takes. */
export interface RunBytes {
  readonly run_id: string
  readonly records: number
  /** Raw bytes of its events, as they were appended. */
  readonly log_bytes: number
  /** Its share of the files of `events`, `steps`, `tool_calls` and `trajectories`, by rows. */
  readonly lake_bytes: number
  /** Datasets that were asked for this run, alone or with others. */
  readonly dataset_bytes: number
}

const TABLES = ['events', 'steps', 'tool_calls', 'trajectories'] as const

async function tableBytes(server: Client, name: string): Promise<number> {
  let bytes = 0
  let cursor = ''
  do {
    const page = fields(await server.get(`/v1/lake/${name}/files?limit=1000${cursor}`))
    for (const file of rowsOf(page['rows'])) bytes += Number(file['bytes'])
    const next = textOf(page['next'])
    cursor = next === undefined ? '' : `&cursor=${encodeURIComponent(next)}`
  } while (cursor !== '')
  return bytes
}

/** Asks a server for the room that each run takes; those without a run under an empty name. */
export async function bytesByRun(server: Client): Promise<RunBytes[]> {
  const counted = TABLES.map(
    (name) =>
      `select '${name}' as t, coalesce(run_id, '') as run_id, count(*) as n, ${name === 'events' ? 'sum(octet_length(raw))' : '0'} as raw_bytes from ${name} group by all`,
  )
  const answer = fields(await server.post('/v1/sql', { sql: counted.join(' union all ') }))
  const runs = new Map<string, { -readonly [Name in keyof RunBytes]: RunBytes[Name] }>()
  const of = (run_id: string) => {
    const run = runs.get(run_id) ?? { run_id, records: 0, log_bytes: 0, lake_bytes: 0, dataset_bytes: 0 }
    runs.set(run_id, run)
    return run
  }
  const rows = rowsOf(answer['rows'])
  for (const name of TABLES) {
    const mine = rows.filter((row) => row['t'] === name)
    const all = mine.reduce((sum, row) => sum + Number(row['n']), 0)
    const bytes = all === 0 ? 0 : await tableBytes(server, name)
    for (const row of mine) {
      const run = of(String(row['run_id']))
      run.lake_bytes += Math.round((bytes * Number(row['n'])) / all)
      if (name !== 'events') continue
      run.records += Number(row['n'])
      run.log_bytes += Number(row['raw_bytes'])
    }
  }
  const built = fields(await server.get('/v1/upkeep?datasets=true'))
  for (const { runs: names, bytes } of rowsOf(built['datasets']))
    for (const name of String(names).split(', ')) of(name).dataset_bytes += Number(bytes)
  return [...runs.values()].sort((left, right) => right.log_bytes - left.log_bytes)
}

export function bytesTable(runs: readonly RunBytes[], paint: Paint): string {
  const heads = ['run', 'records', 'log', 'lake', 'datasets'].map((head) => ({ head }))
  const rows = runs.map((run) => [
    run.run_id === '' ? paint.dim('of no run') : run.run_id,
    count(run.records),
    size(run.log_bytes),
    size(run.lake_bytes),
    size(run.dataset_bytes),
  ])
  return table(heads, rows, paint)
}
