/** DuckDB as the lake uses it: in memory, bounded, with no network and no extensions beyond the built-in ones. */
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { join } from 'node:path'
import { errorText } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'

export interface EngineOptions {
  /** Where DuckDB spills what does not fit into memory. */
  readonly scratchDir: string
  readonly threads: number
  readonly memoryLimitMb: number
  /** How far the process stands back for others, 0 to 19. Default 0. */
  readonly niceness?: number
}

export interface Engine {
  /** The engine and its version, such as `duckdb v1.5.6`. */
  readonly name: string
  /** Runs `work` on a connection of its own, which is interrupted when `signal` aborts and closed afterwards. */
  with<Result>(signal: AbortSignal, work: (connection: DuckDBConnection) => Promise<Result>): Promise<Result>
  close(): void
}

/** Between two interrupts of work that was cancelled. */
const INTERRUPT_MS = 50

/** Opens an engine. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(options.threads),
    memory_limit: `${options.memoryLimitMb}MB`,
    temp_directory: join(options.scratchDir, 'duckdb-spill'),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
  })
  const first = await instance.connect()
  const version = (await first.runAndReadAll('select version()')).getRows()[0]?.[0]
  first.closeSync()
  return {
    name: `duckdb ${String(version)}`,
    with: async (signal, work) => {
      const connection = await instance.connect()
      let again: NodeJS.Timeout | undefined
      // DuckDB forgets an interrupt that comes before a statement begins, so it is told until the work has ended.
      const interrupt = (): void => {
        connection.interrupt()
        again ??= setInterval(() => connection.interrupt(), INTERRUPT_MS)
      }
      signal.addEventListener('abort', interrupt)
      try {
        signal.throwIfAborted()
        await connection.run(`set TimeZone = 'UTC'`)
        return await work(connection)
      } catch (error) {
        throw engineProblem(error, signal)
      } finally {
        signal.removeEventListener('abort', interrupt)
        clearInterval(again)
        connection.closeSync()
      }
    },
    close: () => instance.closeSync(),
  }
}

function engineProblem(error: unknown, signal: AbortSignal): unknown {
  if (error instanceof Problem) return error
  if (signal.aborted) return new Problem('unavailable', 'the job was cancelled', { cause: error })
  const text = errorText(error)
  if (/No space left|ENOSPC|max_temp_directory_size/.test(text)) {
    return new Problem('unavailable', 'the scratch folder is full', {
      hint: 'free some space on its disk',
      retryAfterSeconds: 5,
      cause: error,
    })
  }
  if (text.includes('Out of Memory'))
    return new Problem('unavailable', 'the engine ran out of its memory', {
      hint: 'ask for less at once',
      details: { resource: 'memory' },
      cause: error,
    })
  return error
}

/** A text as a SQL literal. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
