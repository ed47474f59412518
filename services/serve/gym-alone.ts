/** A process with the gym alone: it keeps no log and no store, and publishes to STEPSTORE_URL. */
import { type Config, misuse } from '#services/config.ts'
import { startServedGym } from '#services/gym/served.ts'
import { jsonLogger } from '#services/logger.ts'
import type { Server, ServeOptions } from './main.ts'

/** What a gym alone may be told beside the settings. */
export interface GymAloneOptions {
  /** The run of episodes that name none. Default: one with the time in its name. */
  readonly runId?: string | undefined
  /** The most episodes at once. Default 1,000. */
  readonly episodesMax?: number | undefined
}

/** How long the server that events go to may take to say that it is there, before the gym warns that it does not. */
const LOOK_MS_MAX = 2_000

/**
 * Starts a gym at HOST and PORT, and warns where nothing answers at STEPSTORE_URL. Throws as `startServedGym` does, and
 * misuse where the gym would publish to itself.
 */
export async function startGymAlone(
  { config, write, clock }: Pick<ServeOptions, 'config' | 'write' | 'clock'>,
  { runId, episodesMax }: GymAloneOptions = {},
): Promise<Server> {
  refuseItself(config)
  const logger = jsonLogger({ program: 'gym', level: config.logLevel, write, now: clock })
  const gym = await startServedGym({
    config,
    publishTo: config.url,
    listen: { host: config.host, port: config.port },
    logger,
    now: () => clock().getTime(),
    ...(runId === undefined ? {} : { runId }),
    ...(episodesMax === undefined ? {} : { episodesMax }),
  })
  if (!(await answers(config.url)))
    logger('warn', 'no server answers at STEPSTORE_URL: what is played waits on disk until one does', {
      url: config.url,
      hint: 'start one with `npm start`, or set STEPSTORE_URL to where it is',
    })
  const host = config.host === '0.0.0.0' || config.host === '::' ? '127.0.0.1' : config.host
  let closing: Promise<void> | undefined
  return {
    url: config.publicUrl ?? `http://${host.includes(':') ? `[${host}]` : host}:${gym.port}`,
    port: gym.port,
    failed: new Promise(() => {}),
    close: () => (closing ??= gym.close()),
  }
}

const THIS_MACHINE = /^(localhost|127(\.\d{1,3}){3}|::1|0\.0\.0\.0|::)$/i

/** Throws misuse where the server to publish to is this gym. */
function refuseItself({ host, port, url }: Pick<Config, 'host' | 'port' | 'url'>): void {
  const target = new URL(url)
  const named = target.hostname.replace(/^\[(.*)\]$/, '$1')
  const targetPort = Number(target.port || (target.protocol === 'https:' ? 443 : 80))
  if (targetPort !== port || !(named === host || (THIS_MACHINE.test(named) && THIS_MACHINE.test(host)))) return
  throw misuse(
    `the gym would publish to itself: STEPSTORE_URL is ${target.origin}, where it listens`,
    'set STEPSTORE_URL to the server that records what is played, or let the gym listen elsewhere (PORT, or --port of gym serve)',
  )
}

/** Whether anything answers there. */
async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(LOOK_MS_MAX) })
    await answer.body?.cancel()
    return true
  } catch {
    return false
  }
}
