/** A budget of bytes that requests hold in memory, from the first byte read to the answer. */
import { Problem } from '#services/problem.ts'

/** What one request holds of a budget. */
export interface Lease {
  /** Holds more. Throws `too_many` where the budget is spent; then nothing more is held. */
  take(bytes: number): void
  /** Gives all of it back. */
  release(): void
}

export interface Budget {
  /** Bytes held now. */
  readonly used: number
  /** The most. */
  readonly max: number
  lease(): Lease
}

/** A budget of `bytesMax`. A request that is alone always fits, so that no size of body is refused for ever. */
export function byteBudget(bytesMax: number): Budget {
  let used = 0
  return {
    get used() {
      return used
    },
    max: bytesMax,
    lease() {
      let held = 0
      return {
        take(bytes) {
          if (used > held && used + bytes > bytesMax) {
            throw new Problem('too_many', `requests hold ${used} bytes, the most is ${bytesMax}`, {
              hint: 'send the same again',
              retryAfterSeconds: 1,
            })
          }
          used += bytes
          held += bytes
        },
        release() {
          used -= held
          held = 0
        },
      }
    },
  }
}
