/** Keeps the lake in shape while it grows: merges small files, and sweeps what nobody needs any more. */
import { setTimeout as sleep } from 'node:timers/promises'
import { errorText } from '#services/logger.ts'
import { mergeAll, type MergeWorld } from './merge.ts'
import { type Sizes, SIZES } from './plan.ts'
import { type Rules, RULES } from './policy.ts'
import { sweep } from './sweep.ts'

export interface CompactorOptions extends MergeWorld {
  readonly sizes?: Sizes
  readonly rules?: Rules
  /** How often it looks whether merges are worth doing. Default 60 s. */
  readonly mergeEveryMs?: number
  /** Whether it is this process's turn; where it is not, nothing is done. Default: always. */
  readonly isActive?: () => boolean
  /** How often it sweeps, which lists all objects of the lake. Default 6 h. */
  readonly sweepEveryMs?: number
}

export interface Compactor {
  /** Why merges or sweeps do not come about, where they keep failing; undefined while all is well. */
  readonly failing: string | undefined
  /** Ends the merge under way, of which nothing stays, and stops. */
  stop(): Promise<void>
}

const MERGE_EVERY_MS = 60_000
const SWEEP_EVERY_MS = 6 * 3_600_000

/** Starts to look after the lake. Any number may run at once: of two that merge the same files one is outrun. */
export function startCompactor(options: CompactorOptions): Compactor {
  const { mergeEveryMs = MERGE_EVERY_MS, sweepEveryMs = SWEEP_EVERY_MS, sizes = SIZES, rules = RULES } = options
  const isActive = options.isActive ?? (() => true)
  const stopping = new AbortController()
  const { signal } = stopping
  const state: { failing: string | undefined } = { failing: undefined }
  let sweptMs = options.clock() - sweepEveryMs + mergeEveryMs

  async function turn(): Promise<void> {
    await mergeAll(options, sizes, signal)
    if (options.clock() - sweptMs < sweepEveryMs) return
    await sweep(options, rules)
    sweptMs = options.clock()
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      await sleep(mergeEveryMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      if (!isActive()) continue
      try {
        await turn()
        state.failing = undefined
      } catch (error) {
        if (stopping.signal.aborted) return
        state.failing = errorText(error)
        options.logger('error', 'lake not looked after', { error: state.failing, retry_in_ms: mergeEveryMs })
      }
    }
  }

  const running = run()
  return {
    get failing() {
      return state.failing
    },
    stop: async () => {
      stopping.abort()
      await running
    },
  }
}
