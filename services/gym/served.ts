/** A gym that is served: its tools, its spool, its faces, opened and closed as one. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Config } from '#services/config.ts'
import { lockFolder } from '#services/folder-lock.ts'
import { serveGym, type GymServerOptions } from '#services/gym/faces/server.ts'
import { kinds } from '#services/gym/items/families.ts'
import { realClock } from '#services/gym/loop/clock.ts'
import { openGym } from '#services/gym/loop/episodes.ts'
import { httpOutlet } from '#services/gym/publish/http-outlet.ts'
import type { Recorder } from '#services/gym/publish/recorder.ts'
import { openSpool, type Spool } from '#services/gym/publish/spool.ts'
import { endedEvents } from '#services/gym/run/run-events.ts'
import { openTools } from '#services/gym/tools/open.ts'
import { definitions } from '#services/gym/tools/registry.ts'
import { remoteTools } from '#services/gym/tools/remote/remote.ts'
import type { Logger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'

export interface ServedGymOptions {
  readonly config: Pick<Config, 'dataDir' | 'gymTools' | 'key'>
  /** The server that events and pictures go to. */
  readonly publishTo: string
  readonly listen: GymServerOptions['listen']
  /** The run of episodes that name none. Default: one of this gym alone, which ends with it. */
  readonly runId?: string
  readonly logger: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Default 1,000. */
  readonly episodesMax?: number
}

export interface ServedGym {
  readonly port: number
  /** Ends all episodes (aborted), sends what it can for a moment, and leaves the rest on disk for the next start. */
  close(): Promise<void>
}

/** An episode, or a session, that nobody steps for so long is ended: a training step of a large model takes minutes. */
const IDLE_MS = 30 * 60_000
/** How long the last events may take at the end. */
const FLUSH_MS_MAX = 1_500
/** How many gyms may share a data folder. */
const FOLDERS_MAX = 16

/** Opens everything. Throws `unavailable` (port taken), misuse (STEPSTORE_GYM_TOOLS), `store_in_use`. */
export async function startServedGym(options: ServedGymOptions): Promise<ServedGym> {
  const { config, publishTo, now } = options
  const opened: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (let step = opened.pop(); step !== undefined; step = opened.pop()) await step()
  }
  let stopping = false
  // What is cut short at the end is no fault, and is sent by the next start.
  const logger: Logger = (level, what, fields) => (stopping ? undefined : options.logger(level, what, fields))
  try {
    const tools = openTools(remoteTools(config.gymTools, definitions))
    opened.push(() => tools.close())
    const { folder, unlock } = ownFolder(join(config.dataDir, 'gym'), new Date(now()))
    opened.push(async () => unlock())
    const stop = new AbortController()
    const onRetry = (reason: string): void => logger('warn', 'events wait to be sent', { url: publishTo, reason })
    const onUnread = (what: string): void => logger('error', 'events of the gym could not be read', { what })
    const outlet = httpOutlet({ url: publishTo, key: config.key, signal: stop.signal, onRetry, onUnread })
    const spool = await openSpool({ folder, outlet, logger })
    opened.push(async () => {
      await Promise.race([spool.flush().catch(() => {}), new Promise((resolve) => setTimeout(resolve, FLUSH_MS_MAX))])
      stopping = true
      stop.abort()
      await spool.close()
    })
    const own = ownRun(spool, freshRunId(new Date(now())), now)
    if (options.runId === undefined) opened.push(() => own.end())
    const gym = openGym({
      kinds,
      tools,
      recorder: own,
      clock: realClock(now),
      run_id: options.runId ?? own.run_id,
      newId: randomUUID,
      logger,
      idle_ms: IDLE_MS,
      ...(options.episodesMax === undefined ? {} : { episodes_max: options.episodesMax }),
    })
    opened.push(() => gym.close())
    const server = await serveGym({
      gym,
      kinds,
      listen: options.listen,
      key: config.key,
      idleMs: IDLE_MS,
      troubles: () => troublesOf(spool),
      logger,
      clock: () => performance.now(),
    })
    opened.push(() => server.close())
    return { port: server.port, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Why what is played cannot be recorded any more, or is about to wait. */
function troublesOf(spool: Spool): readonly string[] {
  const failure = spool.failure()
  if (failure !== null) return [`events cannot be sent: ${failure}`]
  return spool.pending().full ? ['the buffer of events is full: the server at STEPSTORE_URL is away, or slow'] : []
}

/** The first folder that no other gym has: what a gym that is gone left there is sent, too. */
function ownFolder(all: string, now: Date): { folder: string; unlock: () => void } {
  for (let place = 0; ; place++) {
    const folder = join(all, `served-${place}`)
    try {
      return { folder, unlock: lockFolder(folder, now) }
    } catch (error) {
      const isTaken = error instanceof Problem && error.code === 'store_in_use'
      if (!isTaken || place >= FOLDERS_MAX - 1) throw error
    }
  }
}

/** A name for the run of a gym that was given none, fit for URLs: when it began, and a few letters that no other has. */
const freshRunId = (now: Date): string =>
  `gym-${now.toISOString().slice(0, 16).replace(':', '-')}-${randomUUID().slice(0, 4)}`

/** A recorder that can tell the end of a run, where the run has begun. Runs that trainers name may go on elsewhere. */
function ownRun(spool: Spool, run_id: string, now: () => number): Recorder & { run_id: string; end(): Promise<void> } {
  let begun = false
  return {
    run_id,
    add: (events, images) => {
      begun ||= events.some(({ type, data }) => type === 'run.started' && data.run_id === run_id)
      return spool.add(events, images)
    },
    end: async () => {
      // What keeps it from being recorded has been told already; a full buffer would be waited for.
      if (begun && !spool.pending().full) await spool.add(endedEvents(run_id, now())).catch(() => {})
    },
  }
}
