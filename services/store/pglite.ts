/** The store of one machine: Postgres in this process (PGlite). A read model that can be folded again, never the log. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { PGlite, type Transaction as PgliteTransaction } from '@electric-sql/pglite'
import { Kysely, PGliteDialect, type Transaction as KyselyTransaction } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import { lockFolder } from '#services/folder-lock.ts'
import { type Logger, errorText } from '#services/logger.ts'
import { openUnsynced } from './boot.ts'
import { csvLines } from './csv.ts'
import { freshPglite } from './pglite-fresh.ts'
import { migrate, readMigrations } from './migrate.ts'
import type { Store } from './store.ts'

export interface PgliteOptions {
  /** The folder; undefined keeps everything in memory. */
  readonly folder?: string | undefined
  readonly logger: Logger
  readonly clock: () => Date
  /** Told when what was there had to be thrown away, with the reason. The projections then fold the log again. */
  readonly onDoubt?: (reason: string) => void
}

/**
 * PGlite never calls fsync and must not be opened twice (the second opener would read and write well, and the first one's
 * later rows would vanish). So the folder is locked (`store_in_use`), and files that may lack writes are removed.
 */
export async function pgliteStore(options: PgliteOptions): Promise<Store> {
  const { folder } = options
  if (folder === undefined) return fromPglite(await freshPglite('memory://'), () => {})
  const unlock = lockFolder(folder, options.clock())
  try {
    const { doubt, closeWell } = openUnsynced(folder, 'pg')
    if (doubt !== undefined) options.onDoubt?.(doubt)
    const pglite = await openOrStartAgain(join(folder, 'pg'), options)
    return await fromPglite(pglite, () => {
      closeWell()
      unlock()
    })
  } catch (error) {
    unlock()
    throw error
  }
}

async function openOrStartAgain(files: string, options: PgliteOptions): Promise<PGlite> {
  if (!existsSync(files)) return freshPglite(files)
  try {
    return await PGlite.create(files)
  } catch (error) {
    // What cannot be opened can be folded again from the log, which is what the store is for.
    options.logger('warn', 'store could not be opened', { error: errorText(error) })
    options.onDoubt?.('its files could not be opened')
    rmSync(files, { recursive: true, force: true })
    return freshPglite(files)
  }
}

async function fromPglite(pglite: PGlite, whenClosed: () => void): Promise<Store> {
  // Kysely keeps the transaction of PGlite to itself, but COPY must run inside it: so we look at it as it goes by.
  let current: PgliteTransaction | undefined
  const watched = {
    query: pglite.query.bind(pglite),
    close: pglite.close.bind(pglite),
    get closed() {
      return pglite.closed
    },
    get ready() {
      return pglite.ready
    },
    waitReady: pglite.waitReady,
    transaction: <Result>(work: (transaction: PgliteTransaction) => Promise<Result>) =>
      pglite.transaction(async (transaction) => {
        current = transaction
        try {
          return await work(transaction)
        } finally {
          current = undefined
        }
      }),
  }
  const db = new Kysely<Database>({ dialect: new PGliteDialect({ pglite: watched as unknown as PGlite }) })
  await migrate(db, await readMigrations())
  let isClosed = false
  // There is one connection. Whoever asked for `db` inside a transaction would wait for a connection that waits for him,
  // for ever; he gets the transaction instead.
  const inside = new AsyncLocalStorage<KyselyTransaction<Database>>()
  return {
    get db() {
      return inside.getStore() ?? db
    },
    transaction: (work) =>
      db
        .transaction()
        .setIsolationLevel('repeatable read')
        .execute((transaction) =>
          inside.run(transaction, work, {
            db: transaction,
            copyIn: async (table, columns, rows) => {
              const list = columns.map((column) => `"${column}"`).join(', ')
              const blob = new Blob([csvLines(rows)])
              await current?.query(`copy "${table}" (${list}) from '/dev/blob' (format csv)`, [], { blob })
            },
          }),
        ),
    close: async () => {
      if (isClosed) return
      isClosed = true
      await db.destroy()
      whenClosed()
    },
  } satisfies Store
}
