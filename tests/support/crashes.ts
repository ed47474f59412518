/** Blobs and a store of a process that may die at any of their calls: from then on every call fails, until the restart. */
import type { Blobs } from '#services/blobs/blobs.ts'
import type { Store } from '#services/store/store.ts'

export interface Crash {
  /** Which call it dies at, from 0. */
  readonly call: number
  /** Whether the call takes effect before it dies. */
  readonly after: boolean
}

export class Crashing {
  #calls = 0
  #dead = false
  readonly #crash: Crash | undefined

  constructor(crash: Crash | undefined) {
    this.#crash = crash
  }

  get dead(): boolean {
    return this.#dead
  }

  async #call<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#dead) throw new Error('the process is dead')
    const here = this.#calls++ === this.#crash?.call
    if (here && this.#crash?.after !== true) return this.#die()
    const result = await work()
    if (here) return this.#die()
    return result
  }

  #die(): never {
    this.#dead = true
    throw new Error('the process dies here')
  }

  blobs(blobs: Blobs): Blobs {
    return {
      put: (key, body, options) => this.#call(() => blobs.put(key, body, options)),
      get: (key) => this.#call(() => blobs.get(key)),
      stream: (key, range) => this.#call(() => blobs.stream(key, range)),
      head: (key) => this.#call(() => blobs.head(key)),
      list: (prefix) => blobs.list(prefix),
      delete: (key) => this.#call(() => blobs.delete(key)),
      localPath: (key) => this.#call(() => blobs.localPath(key)),
      close: () => Promise.resolve(),
    }
  }

  store(store: Store): Store {
    return {
      db: store.db,
      transaction: (work) => this.#call(() => store.transaction(work)),
      close: () => Promise.resolve(),
    }
  }
}
