import type { JobOutcome } from './pool.ts'

/** Runs the job of a key, or gives what it gave before; the same job asked for twice at once runs once. */
export type ResultCache = (
  key: string,
  run: () => Promise<JobOutcome>,
) => Promise<{ readonly outcome: JobOutcome; readonly cache_hit: boolean }>

/**
 * Keeps what local tools said, at most `bytesMax` of it, those asked for last. Only what depends on nothing but the
 * key is kept: a time-out or a crash may go well the next time.
 */
export function resultCache(bytesMax: number): ResultCache {
  const kept = new Map<string, { outcome: JobOutcome; bytes: number }>()
  const running = new Map<string, Promise<JobOutcome>>()
  let total = 0
  return async (key, run) => {
    const known = kept.get(key)
    if (known !== undefined) {
      kept.delete(key)
      kept.set(key, known)
      return { outcome: known.outcome, cache_hit: true }
    }
    const under = running.get(key)
    if (under !== undefined) return { outcome: await under, cache_hit: true }
    const started = run()
    running.set(key, started)
    const outcome = await started
    running.delete(key)
    const { status } = outcome.result
    const bytes = sizeOf(outcome)
    if ((status === 'ok' || status === 'tool_error') && bytes <= bytesMax / 4) {
      kept.set(key, { outcome, bytes })
      total += bytes
    }
    for (const [oldest, entry] of kept) {
      if (total <= bytesMax) break
      kept.delete(oldest)
      total -= entry.bytes
    }
    return { outcome, cache_hit: false }
  }
}

function sizeOf({ result }: JobOutcome): number {
  if (result.status !== 'ok') return 500
  const { text, output, images } = result.said
  return 500 + text.length * 2 + JSON.stringify(output).length * 4 + images.reduce((sum, each) => sum + each.length, 0)
}
