/** The lake's newest snapshot for those who read it, whichever process makes it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { workersOf } from '#services/claims/claims.ts'
import { asSnapshot, newestSnapshot, type Snapshot } from '#services/lake/catalog.ts'
import { wantCut } from '#services/lake/wants.ts'
import type { Log } from '#services/log/log.ts'
import { errorText, type Logger } from '#services/logger.ts'
import { includes, type Offsets } from '#services/position.ts'
import type { Store } from '#services/store/store.ts'
import { PROJECTION } from './cut.ts'
import type { Keeper } from './keeper.ts'

export interface ViewOptions {
  readonly store: Store
  readonly log: Pick<Log, 'bounds'>
  readonly logger: Logger
  /** The archive of this process, if it runs one. */
  readonly keeper: Keeper | undefined
}

export interface ArchiveView {
  /** As of the last look. */
  readonly newest: Snapshot | undefined
  readonly failing: string | undefined
  /** A published snapshot that includes the offsets: the newest, or the next, which is then asked for. Undefined when that took longer than `timeoutMs`. */
  reach(offsets: Offsets, timeoutMs: number, signal?: AbortSignal): Promise<Snapshot | undefined>
  close(): Promise<void>
}

/** Between two looks: for one who waits, at first and at most; for nobody. */
const LOOK_MS = { first: 20, max: 200, idle: 1_000 }

class StoreView implements ArchiveView {
  newest: Snapshot | undefined
  failing: string | undefined
  readonly #options: ViewOptions
  readonly #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(options: ViewOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    await this.#look()
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      await sleep(LOOK_MS.idle, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      await this.#look().catch((error: unknown) => {
        this.failing = errorText(error)
      })
    }
  }

  async #look(): Promise<void> {
    const { store } = this.#options
    const row = await newestSnapshot(store.db)
    this.newest = row === undefined ? undefined : asSnapshot(row)
    const workers = await workersOf(store.db, PROJECTION)
    this.failing =
      workers.length === 0
        ? 'no process that runs archive is alive'
        : (workers.find(({ failing }) => failing !== null)?.failing ?? undefined)
  }

  async reach(offsets: Offsets, timeoutMs: number, signal?: AbortSignal): Promise<Snapshot | undefined> {
    const { store, keeper, logger } = this.#options
    const until = performance.now() + timeoutMs
    const stopping = AbortSignal.any([this.#stopping.signal, ...(signal === undefined ? [] : [signal])])
    let isAsked = false
    for (let lookMs = LOOK_MS.first; ; lookMs = Math.min(lookMs * 2, LOOK_MS.max)) {
      const row = await newestSnapshot(store.db)
      const newest = row === undefined ? undefined : asSnapshot(row)
      if (newest !== undefined && includes(newest.cut, offsets)) return newest
      const leftMs = until - performance.now()
      if (leftMs <= 0 || stopping.aborted) return undefined
      if (keeper?.isActive === true) {
        const found = await keeper.reach(offsets, leftMs, signal)
        if (found !== undefined) return found
      } else if (!isAsked) {
        isAsked = true
        await this.#ask(offsets).catch((error: unknown) =>
          logger('warn', 'a cut could not be asked for; the next one in time is waited for', {
            error: errorText(error),
          }),
        )
      }
      await sleep(Math.min(lookMs, leftMs), undefined, { signal: stopping }).catch(() => {})
    }
  }

  /** What is past the end of the log is never cut, and must not hide what others ask for. */
  async #ask(offsets: Offsets): Promise<void> {
    const { store, log } = this.#options
    const bounds = await log.bounds()
    await wantCut(
      store.db,
      new Map([...offsets].map(([partition, offset]) => [partition, Math.min(offset, bounds[partition]?.end ?? 0)])),
    )
  }

  async close(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }
}

/** Begins to look. Throws where the store cannot be reached. */
export async function viewArchive(options: ViewOptions): Promise<ArchiveView> {
  const view = new StoreView(options)
  await view.start()
  return view
}
