/** archive: follows project and writes what it has folded into the lake, cut by cut. */
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Kysely } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { HashRange } from '#services/core/recent-hashes.ts'
import { asSnapshot, newestSnapshot, type Snapshot } from '#services/lake/catalog.ts'
import { lakeRecords } from '#services/lake/history.ts'
import type { CutRequest, CutResult } from '#services/lake/jobs.ts'
import type { Lake } from '#services/lake/lake.ts'
import type { Log } from '#services/log/log.ts'
import { errorText, type Logger } from '#services/logger.ts'
import { formatOffsets, includes, type Offsets, union } from '#services/position.ts'
import type { Store } from '#services/store/store.ts'
import { enter, nameFiles, publish, upload } from './commit.ts'
import { cursorsOf, heldFiles, planCut, PROJECTION, verdictsBetween, type Plan } from './cut.ts'
import { restoreCatalog } from './restore.ts'

export type { Snapshot } from '#services/lake/catalog.ts'

/** What archive needs of project. */
export interface Followed {
  /** Committed, by partition. */
  readonly offsets: Offsets
  /** Calls `listener` after each commit with the raw bytes that it took in. Returns the way to stop that. */
  onCommit(listener: (offsets: Offsets, bytes: number) => void): () => void
  /** Content hashes that project knows of committed records in [from, to), where it does. */
  hashes?(partition: number, from: number, to: number): HashRange | undefined
  /** Holds project back: before each batch `gate` is awaited. */
  setGate(gate: (() => Promise<void>) | undefined): void
}

export interface ArchiveOptions {
  readonly log: Pick<Log, 'id' | 'bounds'>
  /** Where the lake process finds the log. */
  readonly logPlace: CutRequest['log']
  readonly store: Store
  readonly blobs: Blobs
  readonly lake: Lake
  readonly project: Followed
  readonly logger: Logger
  /** The time, in milliseconds since 1970. */
  readonly clock: () => number
  /** A cut falls when this many raw bytes are new. Project may run ahead by twice as many. Default 32 MiB. */
  readonly cutBytes?: number
  /** A cut falls after this time when anything is new. Default 5 s. */
  readonly cutEveryMs?: number
  /** The least time between cuts that readers ask for. Default 1 s. */
  readonly reachEveryMs?: number
  /** Runs in the transaction of each cut; throws where somebody else archives by now. */
  readonly fence?: (db: Kysely<Database>) => Promise<void>
}

export interface Archive {
  /** The newest published snapshot; undefined while there is none. */
  readonly newest: Snapshot | undefined
  /** Why no cut comes about, where one keeps failing; undefined while all is well. */
  readonly failing: string | undefined
  /**
   * A published snapshot that includes the offsets: the newest, or the next, which is then asked for. Undefined when that took
   * longer than `timeoutMs`, and at once while the log is empty: nothing is on its way then.
   */
  reach(offsets: Offsets, timeoutMs: number, signal?: AbortSignal): Promise<Snapshot | undefined>
  /** Asks for a cut that includes the offsets, as far as they are folded by then, without waiting for it. */
  want(offsets: Offsets): void
  /** Ends the cut under way (it is done again at the next start) and stops. */
  stop(): Promise<void>
}

const CUT_BYTES = 32 * 1024 * 1024
const CUT_EVERY_MS = 5_000
const REACH_EVERY_MS = 1_000
const BACKOFF_MS = { first: 500, max: 15_000 }

interface Waiter {
  readonly want: Offsets
  readonly resolve: (snapshot: Snapshot | undefined) => void
}

/** The content hashes that project knows of the records of a cut. */
function knownHashes(project: Followed, { from, to }: Pick<Plan, 'from' | 'to'>): CutRequest['hashes'] {
  const known = [...to].map(
    ([partition, end]) => [partition, project.hashes?.(partition, from.get(partition) ?? 0, end)] as const,
  )
  return new Map(known.flatMap(([partition, hashes]) => (hashes === undefined ? [] : [[partition, hashes] as const])))
}

class Archivist implements Archive {
  newest: Snapshot | undefined
  failing: string | undefined
  readonly #options: ArchiveOptions
  readonly #stopping = new AbortController()
  readonly #waiters = new Set<Waiter>()
  readonly #held = new Set<() => void>()
  /** What somebody asked for who does not wait here. */
  #wanted: Offsets = new Map()
  readonly #cutBytes: number
  /** Archive's cursor: what the last cut, published or not, includes. */
  #cursor: Offsets = new Map()
  /** Raw bytes that project has folded since the last cut. */
  #ahead = 0
  #lastCutMs: number
  #wake: () => void = () => undefined
  /** Up to where the lake process was asked to stage; undefined until the next cut where that failed. */
  #staged: Offsets | undefined
  #staging: Promise<void> | undefined
  #running: Promise<void> = Promise.resolve()
  #unlisten: () => void = () => undefined

  constructor(options: ArchiveOptions) {
    this.#options = options
    this.#cutBytes = options.cutBytes ?? CUT_BYTES
    // Nobody who asks right at the start has had a cut before.
    this.#lastCutMs = options.clock() - (options.reachEveryMs ?? REACH_EVERY_MS)
  }

  async start(): Promise<void> {
    const { store, blobs, logger, project } = this.#options
    const restored = await restoreCatalog(store, blobs)
    if (restored > 0) logger('info', 'catalog restored', { snapshots: restored })
    await publish(store, blobs)
    await this.#seek()
    this.#unlisten = project.onCommit((offsets, bytes) => {
      // While project folds again what the lake has already, nothing is new.
      this.#ahead = includes(offsets, this.#cursor) ? this.#ahead + bytes : 0
      this.#wake()
      this.#stageAhead()
    })
    project.setGate(() => this.#room())
    this.#running = this.#run()
  }

  async #seek(): Promise<void> {
    const { store } = this.#options
    this.#cursor = await cursorsOf(store.db, PROJECTION)
    this.#staged = this.#cursor
    const row = await newestSnapshot(store.db)
    this.newest = row === undefined ? undefined : asSnapshot(row)
  }

  /** Resolves when project may take its next batch. */
  #room(): Promise<void> {
    if (this.#ahead < this.#cutBytes * 2 || this.#stopping.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => this.#held.add(resolve))
  }

  #release(): void {
    for (const resolve of this.#held) resolve()
    this.#held.clear()
  }

  async #run(): Promise<void> {
    let backoffMs = BACKOFF_MS.first
    while (!this.#stopping.signal.aborted) {
      await this.#sleep(this.#delayMs())
      if (this.#stopping.signal.aborted) return
      if (this.#delayMs() > 0) continue
      try {
        await this.#cut()
        this.failing = undefined
        backoffMs = BACKOFF_MS.first
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        this.failing = errorText(error)
        this.#options.logger('error', 'cut failed', { error: this.failing, retry_in_ms: backoffMs })
        await this.#sleep(backoffMs, false)
        backoffMs = Math.min(backoffMs * 2, BACKOFF_MS.max)
        await this.#recover()
      }
    }
  }

  /** A failure may have come between entering and publishing. */
  async #recover(): Promise<void> {
    const { store, blobs, logger } = this.#options
    try {
      await publish(store, blobs)
      await this.#seek()
      this.#settle()
    } catch (error) {
      logger('error', 'snapshot not published', { error: errorText(error) })
    }
  }

  /** How long until a cut is due: 0 for now, Infinity while nothing is new. */
  #delayMs(): number {
    const { project, clock, cutEveryMs = CUT_EVERY_MS, reachEveryMs = REACH_EVERY_MS } = this.#options
    if (!includes(project.offsets, this.#cursor) || includes(this.#cursor, project.offsets)) return Infinity
    if (this.#ahead >= this.#cutBytes) return 0
    const isDue = ([partition, offset]: readonly [number, number]): boolean =>
      offset > (this.#cursor.get(partition) ?? 0) && offset <= (project.offsets.get(partition) ?? 0)
    const asked =
      [...this.#waiters].some(({ want }) => includes(project.offsets, want)) || [...this.#wanted].some(isDue)
    return Math.max(0, this.#lastCutMs + (asked ? reachEveryMs : cutEveryMs) - clock())
  }

  /** Waits; anything new cuts it short where `wakeable`, stopping always does. */
  #sleep(ms: number, wakeable = true): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer)
        this.#stopping.signal.removeEventListener('abort', finish)
        this.#wake = () => undefined
        resolve()
      }
      const timer = setTimeout(finish, Math.min(ms, 60_000))
      this.#stopping.signal.addEventListener('abort', finish)
      if (wakeable) this.#wake = finish
      if (this.#stopping.signal.aborted) finish()
    })
  }

  async #cut(): Promise<void> {
    const { store, blobs, lake, log, logger, clock } = this.#options
    const startedMs = clock()
    this.#lastCutMs = startedMs
    const ahead = this.#ahead
    // What is staged from here on would come before the cut itself.
    this.#staged = undefined
    const plan = await planCut(store)
    if (plan === undefined) {
      this.#ahead = 0
      await this.#seek()
      return
    }
    const held = await heldFiles(blobs, plan)
    const folder = await mkdtemp(join(lake.scratchDir, 'cut-'))
    try {
      const result = await this.#write(plan, { held, folder })
      const files = nameFiles(result, plan.from, plan.to, held)
      await upload(blobs, files)
      const snapshot = await enter(store, {
        from: plan.from,
        to: plan.to,
        files,
        logId: log.id,
        createdAt: new Date(startedMs).toISOString(),
        fence: this.#options.fence,
      })
      this.#cursor = plan.to
      await publish(store, blobs)
      this.newest = asSnapshot(snapshot)
      logger('info', 'cut written', {
        snapshot: snapshot.snapshot_id,
        cut: snapshot.cut,
        records: result.records,
        raw_bytes: result.bytes,
        files: files.added.length,
        rewritten: files.ended.length,
        ms: clock() - startedMs,
      })
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
    this.#ahead = Math.max(0, this.#ahead - ahead)
    this.#settle()
    this.#release()
  }

  /** Has the rows of the next cut made while project folds and the last cut is written. */
  #stageAhead(): void {
    const { store, lake, logPlace, project, logger } = this.#options
    const from = this.#staged
    if (this.#staging !== undefined || from === undefined || this.#stopping.signal.aborted) return
    const to = new Map(project.offsets)
    if (!includes(to, from) || includes(from, to)) return
    this.#staged = to
    const work = async (): Promise<void> => {
      const verdicts = await verdictsBetween(store.db, from, to)
      // A cut that began meanwhile has taken these records in.
      if (this.#staged !== to) return
      const request = { log: logPlace, from, to, verdicts, hashes: knownHashes(project, { from, to }) }
      await lake.run('stage', request, { signal: this.#stopping.signal })
    }
    this.#staging = work()
      .catch((error: unknown) => {
        // The cut makes them itself.
        if (this.#staged === to) this.#staged = undefined
        if (!this.#stopping.signal.aborted) logger('warn', 'not staged ahead', { error: errorText(error) })
      })
      .finally(() => {
        this.#staging = undefined
        this.#stageAhead()
      })
  }

  async #write(plan: Plan, { held, folder }: Pick<CutRequest, 'held' | 'folder'>): Promise<CutResult> {
    const { lake, logPlace, store, blobs } = this.#options
    const request = {
      log: logPlace,
      from: plan.from,
      to: plan.to,
      verdicts: plan.verdicts,
      hashes: knownHashes(this.#options.project, plan),
      rows: plan.rows,
      held,
      folder,
      kept: [],
    }
    const { signal } = this.#stopping
    const running = lake.run('cut', request, { signal })
    this.#staged = plan.to
    this.#stageAhead()
    const result = await running
    if (result.missing.length === 0) return result
    const kept = await lakeRecords({ db: store.db, blobs, lake }, result.missing)
    const again = await lake.run('cut', { ...request, kept }, { signal })
    if (again.missing.length === 0) return again
    const first = again.missing.map(({ partition, offset }) => formatOffsets(new Map([[partition, offset]])))[0]
    throw new Error(`neither log nor lake holds ${again.missing.length} records that are needed, such as ${first}`)
  }

  /** Answers those who wait for a snapshot that is there now. */
  #settle(): void {
    const { newest } = this
    if (newest === undefined) return
    for (const waiter of this.#waiters) if (includes(newest.cut, waiter.want)) waiter.resolve(newest)
  }

  want(offsets: Offsets): void {
    if (includes(this.#wanted, offsets)) return
    this.#wanted = union(this.#wanted, offsets)
    this.#wake()
  }

  async reach(offsets: Offsets, timeoutMs: number, signal?: AbortSignal): Promise<Snapshot | undefined> {
    const wantsSome = [...offsets.values()].some((offset) => offset > 0)
    if (this.newest === undefined && !wantsSome) {
      const bounds = await this.#options.log.bounds()
      if (bounds.every(({ end }) => end === 0)) return undefined
    }
    return await this.#reached(offsets, timeoutMs, signal)
  }

  #reached(offsets: Offsets, timeoutMs: number, signal: AbortSignal | undefined): Promise<Snapshot | undefined> {
    const { newest } = this
    if (newest !== undefined && includes(newest.cut, offsets)) return Promise.resolve(newest)
    return new Promise((resolve) => {
      const finish = (snapshot: Snapshot | undefined): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', giveUp)
        this.#waiters.delete(waiter)
        resolve(snapshot)
      }
      const giveUp = (): void => finish(undefined)
      const waiter: Waiter = { want: offsets, resolve: finish }
      const timer = setTimeout(giveUp, timeoutMs)
      signal?.addEventListener('abort', giveUp)
      this.#waiters.add(waiter)
      this.#wake()
      if (signal?.aborted === true || this.#stopping.signal.aborted) giveUp()
    })
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#unlisten()
    this.#options.project.setGate(undefined)
    this.#release()
    await this.#running
    await this.#staging
    for (const waiter of this.#waiters) waiter.resolve(undefined)
  }
}

/**
 * Starts to archive. Restores the catalog from blobs where the store has lost it, and publishes what an earlier life
 * entered and did not publish. Throws `corrupt` where blobs hold another lake's records.
 */
export async function startArchive(options: ArchiveOptions): Promise<Archive> {
  const archivist = new Archivist(options)
  await archivist.start()
  return archivist
}
