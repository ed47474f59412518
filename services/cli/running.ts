/** A server that runs until it is told to stop, and how that is said. */
import type { Server } from '#services/serve/main.ts'
import { asProblem } from '#services/problem.ts'
import type { ExitCode } from './command.ts'
import { count, progressLine, type Terminal } from './terminal.ts'

/** Container runtimes kill 10 s after SIGTERM. */
const DRAIN_MS_MAX = 9_000

/**
 * Waits for SIGTERM, SIGINT or the end of the core, then closes within DRAIN_MS_MAX. A second signal ends the process at once,
 * which loses nothing: what is acknowledged is in the log. Answers 1 where the core failed or the drain was cut short.
 */
export async function untilStopped(server: Server, terminal: Terminal): Promise<ExitCode> {
  const { reason, end } = stopSignals()
  let code: ExitCode = 0
  try {
    await Promise.race([reason, server.failed])
  } catch (error) {
    const problem = asProblem(error)
    terminal.err(`stepstore: ${problem.message}${problem.cause instanceof Error ? `: ${problem.cause.message}` : ''}\n`)
    terminal.err('  what was acknowledged is safe in the log; start again, and see `stepstore doctor`\n')
    code = 1
  }
  const late = setTimeout(() => {
    terminal.err(`stepstore: not drained in ${DRAIN_MS_MAX / 1000} s, ending now; the next start folds the rest\n`)
    process.exit(1)
  }, DRAIN_MS_MAX)
  await server.close()
  clearTimeout(late)
  end()
  return code
}

/** Resolves on the first SIGTERM or SIGINT; the second ends the process. */
function stopSignals(): { reason: Promise<void>; end: () => void } {
  const first = Promise.withResolvers<void>()
  let signals = 0
  const hear = (signal: NodeJS.Signals): void => {
    if (++signals > 1) process.exit(signal === 'SIGINT' ? 130 : 143)
    first.resolve()
  }
  process.on('SIGTERM', hear)
  process.on('SIGINT', hear)
  return {
    reason: first.promise,
    end: () => {
      process.off('SIGTERM', hear)
      process.off('SIGINT', hear)
    },
  }
}

/** Shows how far a rebuild of the store is, and says when it is done. */
export function rebuildLine(
  terminal: Terminal,
  now: () => number,
): { show: (progress: { reason: string; folded: number; total: number }) => void } {
  const line = progressLine(terminal, now)
  let isTold = false
  return {
    show: ({ reason, folded, total }) => {
      if (!isTold) line.keep(`rebuilding the store: ${reason}`)
      isTold = true
      if (folded < total)
        line.show(
          `rebuilding the store  ${Math.floor((folded / Math.max(1, total)) * 100)} %  ${count(folded)} of ${count(total)} records`,
        )
      else {
        line.keep(`rebuilt the store from ${count(total)} records`)
        isTold = false
      }
    },
  }
}
