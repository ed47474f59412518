/** What the commands of the gym have in common: the server, the spool, and lists read page by page. */
import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { lockFolder } from '#services/folder-lock.ts'
import { httpOutlet } from '#services/gym/publish/http-outlet.ts'
import { openSpool, type Spool } from '#services/gym/publish/spool.ts'
import { jsonLogger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import { client, fields, noServer, rowsOf, textOf, type Client } from './client.ts'
import type { CommandContext } from './command.ts'

type Row = Readonly<Record<string, unknown>>

/** How long a run waits for a server that is away or starts; what it plays meanwhile waits in the spool. */
const PATIENCE = { tries: 60, pause_ms: 1000 } as const

/** A running server, which may be started again under a run. Throws `unavailable` where none answers to begin with. */
export async function servedClient({ config }: CommandContext): Promise<Client> {
  const { key, url } = config()
  const server = client({ url, key })
  if (!(await server.isThere())) throw noServer(url)
  return { ...server, get: (path) => patiently(() => server.get(path)) }
}

async function patiently<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  for (let left: number = PATIENCE.tries; ; left--) {
    try {
      return await ask()
    } catch (error) {
      const mayPass = error instanceof Problem && error.code === 'unavailable' && error.details['silent'] !== true
      if (!mayPass || left === 0) throw error
      await sleep(PATIENCE.pause_ms)
    }
  }
}

/** All rows of a list. */
export async function* allRows(
  server: Client,
  path: string,
  parameters: Readonly<Record<string, string>>,
): AsyncGenerator<Row> {
  let cursor: string | undefined
  do {
    const query = new URLSearchParams({ limit: '1000', ...parameters, ...(cursor === undefined ? {} : { cursor }) })
    const page = fields(await server.get(`${path}?${query.toString()}`))
    yield* rowsOf(page['rows'])
    cursor = textOf(page['next'])
  } while (cursor !== undefined)
}

/** Where the log ends now. */
export async function logEnd(server: Client): Promise<string> {
  return textOf(fields(await server.get('/v1/position'))['log_end']) ?? ''
}

export type OpenedSpool = {
  readonly spool: Spool
  /** Ends it. `done`: everything was sent, and the folder is not needed any more. */
  readonly close: (done: boolean) => Promise<void>
}

/** The spool of a run for a server: the same folder each time, so that what a crash left is sent by the next try. */
export async function runSpool(
  context: CommandContext,
  run: string,
  say: (line: string) => void,
): Promise<OpenedSpool> {
  const { config, terminal, now } = context
  const { dataDir, url, key, logLevel } = config()
  const name = createHash('sha256')
    .update(JSON.stringify([url, run]))
    .digest('hex')
    .slice(0, 16)
  const folder = join(dataDir, 'gym', name)
  const unlock = lockRun(folder, run, new Date(now()))
  try {
    const logger = jsonLogger({
      program: 'gym',
      level: logLevel,
      write: (line) => terminal.err(line),
      now: () => new Date(now()),
    })
    const stop = new AbortController()
    const onRetry = (reason: string): void => say(`  ${reason}; trying again`)
    const onUnread = (what: string): void => say(`  the server could not read some events: ${what}`)
    const outlet = httpOutlet({ url, key, signal: stop.signal, onRetry, onUnread })
    const spool = await openSpool({ folder, outlet, logger })
    return {
      spool,
      close: async (done) => {
        stop.abort()
        await spool.close()
        unlock()
        if (done) await rm(folder, { recursive: true, force: true })
      },
    }
  } catch (error) {
    unlock()
    throw error
  }
}

/** Takes the folder of a run. Throws `store_in_use` where another process still plays it. */
function lockRun(folder: string, run: string, now: Date): () => void {
  try {
    return lockFolder(folder, now)
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'store_in_use') throw error
    const { pid } = error.details
    const holder = typeof pid === 'number' ? `process ${pid}` : 'another process'
    const kill = typeof pid === 'number' ? `, end it at once (kill ${pid}, twice)` : ''
    throw new Problem('store_in_use', `${holder} is playing the run ${run}, or is still stopping`, {
      hint: `wait for it to end and run this again${kill}, or name another run with --run`,
      details: error.details,
      cause: error,
    })
  }
}

/** A rollout as the server has it. */
export type StoredRollout = {
  readonly trajectory_id: string
  readonly item_id: string
  readonly group_id: string
  /** Whether it ended by itself. */
  readonly ended: boolean
  readonly finished: boolean
  readonly correct: boolean
  readonly n_steps: number
}

/** What is known of a run's rollouts, for going on with it. */
export async function trajectoriesOf(server: Client, run: string, policyVersion: number): Promise<StoredRollout[]> {
  const found: StoredRollout[] = []
  const filter = { run, policy_version: String(policyVersion), after: 'latest', wait: '30' }
  for await (const row of allRows(server, '/v1/trajectories', filter)) {
    const status = textOf(row['status'])
    found.push({
      trajectory_id: textOf(row['trajectory_id']) ?? '',
      item_id: textOf(row['item_id']) ?? '',
      group_id: textOf(row['group_id']) ?? '',
      ended: status === 'completed' || status === 'truncated',
      finished: row['finished'] === true,
      correct: row['correct'] === true,
      n_steps: Number(row['n_steps_seen'] ?? 0),
    })
  }
  return found
}
