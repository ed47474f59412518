/** A server that runs until it is told to stop, and how that is said. */
import type { Server } from '#services/serve/main.ts'
import { asProblem } from '#services/problem.ts'
import type { ExitCode } from './command.ts'
import { count, progressLine, type Terminal } from './terminal.ts'

/** Container runtimes kill 10 s after SIGTERM. */
const DRAIN_MS_MAX = 9_000

/** The wish to stop, heard from before the start on, so that a signal in the middle of it ends in a drain too. */
export interface Stop {
  /** Resolves on the first SIGTERM or SIGINT. A second one ends the process. */
  readonly asked: Promise<void>
  readonly isAsked: () => boolean
  /** How much is left of the time in which the process must end; all of it while nothing was asked. */
  readonly leftMs: () => number
  /** Says that the start is over: what has begun by now ends by a drain. */
  begun(): void
  /** Hears no more. */
  end(): void
}

/**
 * Waits for SIGTERM, SIGINT or the end of the core, then closes within DRAIN_MS_MAX of the signal. A second signal ends the
 * process at once, which loses nothing: what is acknowledged is in the log. Answers 1 where the core failed.
 */
export async function untilStopped(server: Server, terminal: Terminal, stop: Stop): Promise<ExitCode> {
  let code: ExitCode = 0
  stop.begun()
  try {
    await Promise.race([stop.asked, server.failed])
  } catch (error) {
    const problem = asProblem(error)
    terminal.err(`stepstore: ${problem.message}${problem.cause instanceof Error ? `: ${problem.cause.message}` : ''}\n`)
    terminal.err('  what was acknowledged is safe in the log; start again, and see `stepstore doctor`\n')
    code = 1
  }
  await drain(server, terminal, stop.leftMs())
  stop.end()
  return code
}

/** Closes a server, or ends the process with 1 where that takes longer than `leftMs`. */
export async function drain(server: Server, terminal: Terminal, leftMs: number): Promise<void> {
  const late = setTimeout(() => {
    terminal.err(`stepstore: not drained in ${DRAIN_MS_MAX / 1000} s, ending now; the next start folds the rest\n`)
    process.exit(1)
  }, leftMs)
  await server.close()
  clearTimeout(late)
}

/**
 * Hears SIGTERM and SIGINT from now on. A start that a signal falls into is brought to its end, and then drained; where it takes
 * longer than DRAIN_MS_MAX the process ends in the middle of it, which is no worse than a power cut, and good for 0: nothing ran.
 */
export function stopSignals(terminal: Terminal): Stop {
  const first = Promise.withResolvers<void>()
  let signals = 0
  let isStarting = true
  let askedMs: number | undefined
  let late: NodeJS.Timeout | undefined
  const hear = (signal: NodeJS.Signals): void => {
    if (++signals > 1) process.exit(signal === 'SIGINT' ? 130 : 143)
    askedMs = performance.now()
    if (isStarting)
      late = setTimeout(() => {
        terminal.err('stepstore: stopped in the middle of its start; the next one begins with what the log has\n')
        process.exit(0)
      }, DRAIN_MS_MAX).unref()
    first.resolve()
  }
  process.on('SIGTERM', hear)
  process.on('SIGINT', hear)
  return {
    asked: first.promise,
    isAsked: () => signals > 0,
    // A signal in the middle of a start has used some of it up.
    leftMs: () => Math.max(0, DRAIN_MS_MAX - (askedMs === undefined ? 0 : performance.now() - askedMs)),
    begun: () => {
      isStarting = false
      clearTimeout(late)
    },
    end: () => {
      clearTimeout(late)
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
