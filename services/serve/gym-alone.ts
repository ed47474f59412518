/** A process with the gym alone: it keeps no log and no store, and publishes to STEPSTORE_URL. */
import { freshRunId, startServedGym } from '#services/gym/served.ts'
import { jsonLogger } from '#services/logger.ts'
import type { Server, ServeOptions } from './main.ts'

/** What a gym alone may be told beside the settings. */
export interface GymAloneOptions {
  /** The run of episodes that name none. Default: one with the time in its name. */
  readonly runId?: string | undefined
  /** The most episodes at once. Default 1,000. */
  readonly episodesMax?: number | undefined
}

/** Starts a gym at HOST and PORT. Throws as `startServedGym` does. */
export async function startGymAlone(
  { config, write, clock }: Pick<ServeOptions, 'config' | 'write' | 'clock'>,
  { runId, episodesMax }: GymAloneOptions = {},
): Promise<Server> {
  const gym = await startServedGym({
    config,
    publishTo: config.url,
    listen: { host: config.host, port: config.port },
    runId: runId ?? freshRunId(clock()),
    logger: jsonLogger({ program: 'gym', level: config.logLevel, write, now: clock }),
    now: () => clock().getTime(),
    ...(episodesMax === undefined ? {} : { episodesMax }),
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
