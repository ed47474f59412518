/** What the commands of the gym have in common: the server, the spool, and lists read page by page. */
import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { lockFolder } from '#services/folder-lock.ts'
import { httpOutlet } from '#services/gym/publish/http-outlet.ts'
import { openSpool, type Spool } from '#services/gym/publish/spool.ts'
import { jsonLogger } from '#services/logger.ts'
import { client, fields, noServer, rowsOf, textOf, type Client } from './client.ts'
import type { CommandContext } from './command.ts'

type Row = Readonly<Record<string, unknown>>

/** A running server. Throws `unavailable` where none answers. */
export async function servedClient({ config }: CommandContext): Promise<Client> {
  const { key, url } = config()
  const server = client({ url, key })
  if (!(await server.isThere())) throw noServer(url)
  return server
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
  const unlock = lockFolder(folder, new Date(now()))
  try {
    const logger = jsonLogger({
      program: 'gym',
      level: logLevel,
      write: (line) => terminal.err(line),
      now: () => new Date(now()),
    })
    const stop = new AbortController()
    const onRetry = (reason: string): void => say(`  ${reason}; trying again`)
    const spool = await openSpool({ folder, outlet: httpOutlet({ url, key, signal: stop.signal, onRetry }), logger })
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

/** What is known of a run's rollouts, for going on with it. */
export async function trajectoriesOf(server: Client, run: string, policyVersion: number) {
  const found: { trajectory_id: string; group_id: string; ended: boolean; finished: boolean; n_steps: number }[] = []
  const filter = { run, policy_version: String(policyVersion), after: 'latest', wait: '30' }
  for await (const row of allRows(server, '/v1/trajectories', filter)) {
    const status = textOf(row['status'])
    found.push({
      trajectory_id: textOf(row['trajectory_id']) ?? '',
      group_id: textOf(row['group_id']) ?? '',
      ended: status === 'completed' || status === 'truncated',
      finished: fields(row)['finished'] === true,
      n_steps: Number(row['n_steps_seen'] ?? 0),
    })
  }
  return found
}
