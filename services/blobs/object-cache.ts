/** Local copies of remote objects, for programs that read files. Bounded; what was not used for longest goes first. */
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { diskProblem } from './disk-problem.ts'

export interface ObjectCacheOptions {
  /** Several processes may share it. Nothing else may lie in it. */
  readonly folder: string
  /** What it may hold, apart from what was used within `keepMs`. */
  readonly bytesMax: number
  /** A path that was handed out stays at least so long: whoever asked for it may still be about to open it. */
  readonly keepMs: number
  readonly clock: () => Date
}

/** Fills that are not whole yet. */
const FILLING = '~filling'
/** After this long a fill is none any more. */
const FILLING_MS_MAX = 3_600_000
/** The cache looks at its size when it has grown by this part of its bound. */
const SWEEP_SHARE = 1 / 20

const isThere = (path: string, bytes: number): Promise<boolean> =>
  stat(path).then(
    ({ size }) => size === bytes,
    () => false,
  )

/** A copy is found under the hash of its key and version, so that a replaced object is never taken for the new one. */
export class ObjectCache {
  readonly #options: ObjectCacheOptions
  readonly #folder: string
  readonly #filling = new Map<string, Promise<string>>()
  #grownBytes = 0
  #sweeping: Promise<void> | undefined

  private constructor(options: ObjectCacheOptions) {
    this.#options = options
    this.#folder = resolve(options.folder)
  }

  /** Opens a folder and removes fills that their process never ended. */
  static async open(options: ObjectCacheOptions): Promise<ObjectCache> {
    const cache = new ObjectCache(options)
    const filling = join(cache.#folder, FILLING)
    await mkdir(filling, { recursive: true })
    const nowMs = options.clock().getTime()
    for (const name of await readdir(filling)) {
      const path = join(filling, name)
      const info = await stat(path).catch(() => undefined)
      if (info !== undefined && nowMs - info.mtimeMs > FILLING_MS_MAX) await rm(path, { force: true })
    }
    await cache.#sweep()
    return cache
  }

  #path(key: string, version: string): string {
    const name = createHash('sha256').update(`${key}\n${version}`).digest('hex')
    return join(this.#folder, name.slice(0, 2), name)
  }

  /**
   * The path of a copy. `fill` writes one to the path that it is given; it is used only if it has `bytes` bytes. Throws
   * `unavailable` where the disk is full.
   */
  async take(key: string, version: string, bytes: number, fill: (path: string) => Promise<void>): Promise<string> {
    const path = this.#path(key, version)
    const underWay = this.#filling.get(path)
    if (underWay !== undefined) return underWay
    if (await isThere(path, bytes)) {
      const now = this.#options.clock()
      await utimes(path, now, now)
      return path
    }
    const filled = this.#filling.get(path) ?? this.#fill(path, bytes, fill).finally(() => this.#filling.delete(path))
    this.#filling.set(path, filled)
    return filled
  }

  async #fill(path: string, bytes: number, fill: (path: string) => Promise<void>): Promise<string> {
    const temporary = join(this.#folder, FILLING, randomUUID())
    try {
      await fill(temporary)
      if (!(await isThere(temporary, bytes))) throw new Error(`a copy has not the ${bytes} bytes of its object`)
      await this.#moveIn(temporary, path, bytes)
    } catch (error) {
      throw diskProblem(error, 'the folder of local copies')
    } finally {
      await rm(temporary, { force: true })
    }
    return path
  }

  /** Takes a local file that holds just what was stored. It is gone afterwards. */
  async adopt(key: string, version: string, bytes: number, file: string): Promise<void> {
    try {
      await this.#moveIn(file, this.#path(key, version), bytes)
    } catch {
      // On another file system a copy would cost more than it may ever save.
      await rm(file, { force: true })
    }
  }

  async #moveIn(from: string, to: string, bytes: number): Promise<void> {
    await mkdir(join(to, '..'), { recursive: true })
    const now = this.#options.clock()
    await utimes(from, now, now)
    await rename(from, to)
    this.#grownBytes += bytes
    if (this.#grownBytes > this.#options.bytesMax * SWEEP_SHARE) await this.#sweep()
  }

  /** Removes what was not used for longest until the rest fits. */
  #sweep(): Promise<void> {
    this.#sweeping ??= this.#sweepOnce().finally(() => {
      this.#sweeping = undefined
    })
    return this.#sweeping
  }

  async #sweepOnce(): Promise<void> {
    this.#grownBytes = 0
    const copies: { readonly path: string; readonly bytes: number; readonly usedMs: number }[] = []
    for (const entry of await readdir(this.#folder, { withFileTypes: true, recursive: true })) {
      const path = join(entry.parentPath, entry.name)
      if (!entry.isFile() || entry.parentPath === join(this.#folder, FILLING)) continue
      const info = await stat(path).catch(() => undefined)
      if (info !== undefined) copies.push({ path, bytes: info.size, usedMs: info.mtimeMs })
    }
    const { bytesMax, keepMs, clock } = this.#options
    const keptFromMs = clock().getTime() - keepMs
    let held = copies.reduce((sum, { bytes }) => sum + bytes, 0)
    for (const { path, bytes, usedMs } of copies.toSorted((one, other) => one.usedMs - other.usedMs)) {
      if (held <= bytesMax || usedMs > keptFromMs) return
      await rm(path, { force: true })
      held -= bytes
    }
  }
}
