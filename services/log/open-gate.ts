/**
 * Keeps the opening of an LMDB environment apart from writes to it. Every process that opens one sets the number of the
 * newest transaction, which all share, to what it read some moments before (lmdb 3.5.6, `mdb_env_open2`). A write that
 * commits in between is forgotten: the next one starts from the state before it.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { Problem } from '#services/problem.ts'

const FILE = 'opening.lock'
const SQLITE_BUSY = 5
/** How long an opening, or a write, waits for its turn. An opening takes 10 ms, unless its process is stopped in it. */
const WAIT_MS_MAX = 30_000
const POLL_MS = 2

const isBusy = (error: unknown): boolean => (error as { errcode?: number }).errcode === SQLITE_BUSY

/** Opens something while nothing is written; no write begins from the moment that this waits. Blocks its thread. */
export function whileNothingIsWritten<Opened>(folder: string, opening: () => Opened): Opened {
  const database = new DatabaseSync(join(folder, FILE), { timeout: WAIT_MS_MAX })
  try {
    // SQLite marks that it wants this lock, and lets nobody else begin to read meanwhile.
    database.exec('BEGIN EXCLUSIVE')
    return opening()
  } catch (error) {
    if (!isBusy(error)) throw error
    throw new Problem('unavailable', `the log in ${folder} was being written for ${WAIT_MS_MAX / 1000} s`, {
      hint: 'is the server that writes it stopped in the middle of something? let it go on, or kill it',
      cause: error,
    })
  } finally {
    database.close()
  }
}

/** The writer's side of the gate. A process that ends, however it ends, leaves the gate open. */
export interface OpenGate {
  /** Writes while nobody opens. */
  write<Result>(writing: () => Promise<Result>): Promise<Result>
  close(): void
}

export function openGate(folder: string): OpenGate {
  const database = new DatabaseSync(join(folder, FILE), { timeout: 0 })
  const begin = database.prepare('BEGIN')
  const look = database.prepare('SELECT count(*) FROM sqlite_schema')
  const end = database.prepare('ROLLBACK')

  return {
    write: async (writing) => {
      await pass(begin, look, end, folder)
      try {
        return await writing()
      } finally {
        end.run()
      }
    },
    close: () => database.close(),
  }
}

/** Takes the lock that readers of the file share; the statement that looks is what takes it. */
async function pass(begin: StatementSync, look: StatementSync, end: StatementSync, folder: string): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += POLL_MS) {
    begin.run()
    try {
      look.get()
      return
    } catch (error) {
      end.run()
      if (!isBusy(error)) throw error
      if (waitedMs >= WAIT_MS_MAX)
        throw new Problem(
          'unavailable',
          `a process has been opening the log in ${folder} for ${WAIT_MS_MAX / 1000} s`,
          {
            hint: 'send the same again; find the process that is stopped, and let it go on or kill it',
            retryAfterSeconds: 5,
            cause: error,
          },
        )
    }
    await sleep(POLL_MS)
  }
}
