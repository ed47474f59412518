/** One process with its programs: the front and ingest on this thread, the rest in the core thread. See WHY.md. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '#services/config.ts'
import { ingestApp } from '#services/ingest/app.ts'
import { jsonLogger, type Logger } from '#services/logger.ts'
import { startCore, type Core } from './core.ts'
import type { RebuildReport } from './core-messages.ts'
import { openDataFolder } from './data-folder.ts'
import { startFront, type Front } from './front.ts'
import { startGymAlone } from './gym-alone.ts'
import { gymProcess, type GymProcess } from './gym-process.ts'
import { openGround } from './ground.ts'
import { openScratch } from './scratch.ts'

export interface ServeOptions {
  readonly config: Config
  /** Writes a line of the log; the core thread writes its own to stderr. */
  readonly write: (line: string) => void
  readonly clock: () => Date
  /** Told how far a rebuild of the store is, where there is one. */
  readonly onRebuild: (progress: RebuildReport) => void
}

/** A running server. */
export interface Server {
  /** The base of its URLs. */
  readonly url: string
  readonly port: number
  /** Rejects where the core fails: then nothing but appending works, and the process should end. */
  readonly failed: Promise<void>
  /**
   * Stops taking requests, lets appends finish, lets project and archive come to a batch boundary, closes the store, then the
   * log. Nothing is lost where that is cut short: the next start folds the rest again.
   */
  close(): Promise<void>
}

/** How long requests under way may take once the server closes. */
const GRACE_MS = 2_000

/** Starts everything and resolves when events are taken and reads are answered. Closes what it opened where it fails. */
export async function startServer(options: ServeOptions): Promise<Server> {
  const { config, clock } = options
  if (config.programs.every((program) => program === 'gym')) return startGymAlone(options)
  const logger = jsonLogger({ program: 'ingest', level: config.logLevel, write: options.write, now: clock })
  // Closed in reverse: whatever was opened last goes first.
  const opened: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (let step = opened.pop(); step !== undefined; step = opened.pop()) await step()
  }
  try {
    await openDataFolder(config.dataDir)
    const ground = await openGround(config, { logger, clock })
    opened.push(() => ground.close())
    const { log, blobs } = ground
    const scratch = await openScratch(config, clock())
    opened.push(() => scratch.close())
    const runsIngest = config.programs.includes('ingest')
    const isAlone = runsIngest && config.programs.every((program) => program === 'ingest' || program === 'gym')
    const folder = await socketFolder(scratch.folder)
    opened.push(() => rm(folder, { recursive: true, force: true }))
    const socket = join(folder, SOCKET)
    const key = config.key === undefined ? {} : { key: config.key }
    let publishTo = config.url
    const gym = config.programs.includes('gym')
      ? gymProcess(() => ({ config, publishTo, socket: join(folder, GYM_SOCKET) }), join(folder, GYM_SOCKET), logger)
      : undefined
    if (gym !== undefined) opened.push(() => gym.stop())
    const front = await startFront({
      host: config.host,
      port: config.port,
      ingest: runsIngest ? ingestApp({ log, blobs, logger, isAlone, ...key }) : undefined,
      querySocket: isAlone ? undefined : socket,
      objectsFolder: config.blobs.kind === 'directory' ? config.blobs.folder : undefined,
      gym,
      logger,
    })
    // Where ingest is here too, what the gym makes goes no further than this port.
    if (runsIngest) publishTo = localUrl(config.host, front.port)
    opened.push(() => front.close(GRACE_MS))
    const url = config.publicUrl ?? localUrl(config.host, front.port)
    const start = { config, publicUrl: url, socket, scratchDir: scratch.folder }
    const core = isAlone ? undefined : await startCore({ start, log, logger, onRebuild: options.onRebuild })
    return { url, port: front.port, failed: failureOf(core), close: drain({ front, core, gym }, opened, logger) }
  } catch (error) {
    await close()
    throw error
  }
}

const SOCKET = 'query.sock'
const GYM_SOCKET = 'gym.sock'
/** The longest path of a unix socket that every system takes, in bytes. */
const SOCKET_PATH_MAX = 100

/** A folder of this user alone for the socket: in scratch, which every start empties, unless its path is too long for a socket. */
async function socketFolder(scratchDir: string): Promise<string> {
  const folder = await mkdtemp(join(scratchDir, 'run-'))
  return Buffer.byteLength(join(folder, SOCKET)) <= SOCKET_PATH_MAX ? folder : mkdtemp(join(tmpdir(), 'stepstore-'))
}

function localUrl(host: string, port: number): string {
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}

function failureOf(core: Core | undefined): Promise<void> {
  const failed = Promise.withResolvers<void>()
  failed.promise.catch(() => {})
  core?.ended.catch((error: unknown) => failed.reject(error))
  return failed.promise
}

function drain(
  { front, core, gym }: { front: Front; core: Core | undefined; gym: GymProcess | undefined },
  opened: (() => Promise<void>)[],
  logger: Logger,
): () => Promise<void> {
  let closing: Promise<void> | undefined
  const steps = async (): Promise<void> => {
    opened.splice(opened.length - 1, 1)
    // Its last events are still taken.
    await gym?.stop()
    await front.close(GRACE_MS)
    await core?.stop().catch((error: unknown) => logger('error', 'core did not stop well', { error: String(error) }))
    for (let step = opened.pop(); step !== undefined; step = opened.pop()) await step()
  }
  return () => (closing ??= steps())
}
