/** What was committed, told to those who wait for it. */
import { type Offsets, includes } from '#services/position.ts'

type Listener = (offsets: Offsets, bytes: number) => void

export class Commits {
  readonly #offsets: Offsets
  readonly #listeners = new Set<Listener>()

  /** `offsets` is looked at anew each time. */
  constructor(offsets: Offsets) {
    this.#offsets = offsets
  }

  /** How many wait or listen. */
  get listeners(): number {
    return this.#listeners.size
  }

  /** Tells of a commit that took in so many raw bytes. */
  tell(bytes: number): void {
    for (const listener of this.#listeners) listener(this.#offsets, bytes)
  }

  /** Calls `listener` after each commit. Returns the way to stop that. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Waits until `want` is included; false when that took longer than `timeoutMs`. */
  waitFor(want: Offsets, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (includes(this.#offsets, want)) return Promise.resolve(true)
    return new Promise((resolve) => {
      const finish = (reached: boolean) => {
        clearTimeout(timer)
        unlisten()
        signal?.removeEventListener('abort', giveUp)
        resolve(reached)
      }
      const giveUp = () => finish(false)
      const timer = setTimeout(giveUp, timeoutMs)
      const unlisten = this.listen((offsets) => {
        if (includes(offsets, want)) finish(true)
      })
      signal?.addEventListener('abort', giveUp, { once: true })
    })
  }
}
