/** Work in order of arrival, a few at a time, with a bound on how much may wait. */
import { Problem } from '#services/problem.ts'

export interface Queue {
  /** Runs `work` when its turn comes. Throws `too_many` when too many wait; rejects when `signal` aborts before its turn. */
  add<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result>
  /** Resolves when nothing runs or waits. */
  idle(): Promise<void>
}

/** A queue in which `runningMax` run at once and `waitingMax` more may wait. */
export function queue({ runningMax, waitingMax }: { readonly runningMax: number; readonly waitingMax: number }): Queue {
  let running = 0
  const waiting: (() => void)[] = []
  const idle: (() => void)[] = []

  async function turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (running < runningMax) {
      running += 1
      return
    }
    await new Promise<void>((resolve, reject) => {
      const go = () => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const leave = () => {
        waiting.splice(waiting.indexOf(go), 1)
        reject(new Problem('conflict', 'cancelled while it waited for its turn'))
      }
      signal.addEventListener('abort', leave, { once: true })
      waiting.push(go)
    })
  }

  function release(): void {
    const next = waiting.shift()
    if (next !== undefined) return next()
    running -= 1
    if (running === 0) for (const told of idle.splice(0)) told()
  }

  async function run<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    await turn(signal)
    try {
      signal.throwIfAborted()
      return await work()
    } finally {
      release()
    }
  }

  return {
    add: (work, signal) => {
      if (running >= runningMax && waiting.length >= waitingMax) {
        throw new Problem('too_many', `${waitingMax} datasets wait to be built already`, {
          hint: 'ask again when some of them are done',
          retryAfterSeconds: 10,
        })
      }
      return run(work, signal)
    },
    idle: async () => {
      if (running > 0) await new Promise<void>((resolve) => idle.push(resolve))
    },
  }
}
