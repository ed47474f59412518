/**
 * Makes the rows of a Postgres again beside those that are served: folds the log (and from the lake what the log no longer
 * holds) into tables of a schema of their own, compares them with the served ones at one place in the log, and puts them in
 * their place in one transaction. Reads and appends go on all the while. See WHY.md.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { CURSOR_OF, type Database, PROJECTED } from '#schemas/tables.ts'
import { disown } from '#services/claims/claims.ts'
import type { Log } from '#services/log/log.ts'
import type { Logger } from '#services/logger.ts'
import type { Offsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { PROJECTION_VERSION } from '#services/project/doubt.ts'
import { PartitionFold } from '#services/project/partition.ts'
import { postgresStore } from '#services/store/postgres.ts'
import type { Store } from '#services/store/store.ts'
import { NEXT, PREVIOUS, replaceTables, schemaOf } from './schemas.ts'

export interface BesideOptions {
  /** The database. */
  readonly url: string
  /** The store that is served. */
  readonly live: Store
  /** The log, with what it has lost and the lake still has. */
  readonly log: Log
  readonly logger: Logger
  /** Aborting stops at a batch; the next rebuild goes on from there. */
  readonly signal: AbortSignal
  /** Only compare. */
  readonly isDry: boolean
  readonly onProgress: (folded: number, total: number) => void
}

/** A table as it was served and as it was made again. */
export interface Compared {
  readonly table: string
  readonly rows_before: number
  readonly rows: number
  readonly differs: boolean
}

export interface RebuiltBeside {
  readonly records: number
  readonly resumed_at: number
  readonly tables: readonly Compared[]
  readonly swapped: boolean
}

const PROJECTION = CURSOR_OF.project
/** Once the new rows are this close, the last records are folded while project waits. */
const CLOSE_RECORDS = 20_000
/** How long reads that began before the last records were folded may take to end. */
const READS_MS_MAX = 60_000

const sum = (offsets: Offsets): number => [...offsets.values()].reduce((all, offset) => all + offset, 0)

/** The same database with another schema to look for tables in. */
function urlIn(url: string, schema: string): string {
  const made = new URL(url)
  made.searchParams.set('options', `${made.searchParams.get('options') ?? ''} -c search_path=${schema}`.trim())
  return made.href
}

async function cursors(db: Kysely<Database>): Promise<Map<number, number>> {
  const rows = await db.selectFrom('cursors').selectAll().where('projection', '=', PROJECTION).execute()
  return new Map(rows.map((row) => [row.partition, row.next_offset]))
}

/** Opens the tables beside, as an earlier rebuild left them where that was of this log and version; else new ones. */
async function openBeside({ url, live, log, logger }: BesideOptions): Promise<Store> {
  await sql`create schema if not exists ${sql.id(NEXT)}`.execute(live.db)
  const mark = { log_id: log.id, projection_version: String(PROJECTION_VERSION) }
  for (;;) {
    const next = await postgresStore({ url: urlIn(url, NEXT), logger })
    const meta = new Map((await next.db.selectFrom('meta').selectAll().execute()).map((row) => [row.name, row.value]))
    if (meta.size === 0) {
      await next.db
        .insertInto('meta')
        .values(Object.entries(mark).map(([name, value]) => ({ name, value })))
        .execute()
      return next
    }
    if (Object.entries(mark).every(([name, value]) => meta.get(name) === value)) return next
    await next.close()
    await dropBeside(live)
    await sql`create schema ${sql.id(NEXT)}`.execute(live.db)
  }
}

async function dropBeside(live: Store): Promise<void> {
  await sql`drop schema if exists ${sql.id(NEXT)} cascade`.execute(live.db)
}

/** The log up to a place, and never written to: what was forwarded once is not forwarded again. */
function upTo(log: Log, end: () => Offsets): Log {
  return {
    id: log.id,
    partitions: log.partitions,
    partitionOf: (key) => log.partitionOf(key),
    append: () => Promise.resolve(new Map()),
    readOne: (partition, offset) => log.readOne(partition, offset),
    bounds: () => log.bounds(),
    close: () => Promise.resolve(),
    read: async (partition, fromOffset, limit) => {
      const last = end().get(partition) ?? 0
      if (fromOffset >= last) return []
      return (await log.read(partition, fromOffset, limit)).filter(({ offset }) => offset < last)
    },
  }
}

/** The fold beside: up to wherever it is told. */
class Beside {
  readonly store: Store
  readonly #options: BesideOptions
  readonly #folds: readonly PartitionFold[]
  readonly #at = new Map<number, number>()
  #end: Offsets = new Map()

  constructor(options: BesideOptions, store: Store) {
    this.#options = options
    this.store = store
    const log = upTo(options.log, () => this.#end)
    this.#folds = Array.from({ length: log.partitions }, (_, partition) => new PartitionFold({ partition, log, store }))
  }

  get folded(): number {
    return sum(this.#at)
  }

  async seek(): Promise<void> {
    for (const fold of this.#folds) this.#at.set(fold.partition, (await fold.seek()).nextOffset)
  }

  async to(end: Offsets): Promise<void> {
    this.#end = end
    for (const fold of this.#folds) {
      for (let moved = true; moved;) {
        this.#options.signal.throwIfAborted()
        const { nextOffset, records } = await fold.step()
        this.#at.set(fold.partition, nextOffset)
        this.#options.onProgress(this.folded, sum(end))
        moved = records > 0
      }
    }
    for (const [partition, offset] of end)
      if ((this.#at.get(partition) ?? 0) < offset)
        throw new Problem(
          'corrupt',
          `partition ${partition} ends at ${this.#at.get(partition) ?? 0}, and the served rows go to ${offset}`,
          {
            hint: 'neither the log nor the lake holds the records between: see `npx stepstore verify`',
          },
        )
  }
}

/** Rows and a sum of their hashes, which is the same in any order. */
async function digest(db: Kysely<Database>, schema: string, table: string): Promise<{ n: number; hash: string }> {
  const { rows } = await sql<{ n: string; hash: string }>`
    select count(*) as n, coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint), 0)::text as hash
    from ${sql.id(schema, table)} t`.execute(db)
  return { n: Number(rows[0]?.n ?? 0), hash: rows[0]?.hash ?? '' }
}

/** Compares all tables, as one transaction sees them. */
async function compare(db: Kysely<Database>, served: string): Promise<Compared[]> {
  const tables: Compared[] = []
  for (const table of PROJECTED) {
    const before = await digest(db, served, table)
    const after = await digest(db, NEXT, table)
    tables.push({
      table,
      rows_before: before.n,
      rows: after.n,
      differs: before.n !== after.n || before.hash !== after.hash,
    })
  }
  return tables
}

/**
 * Waits until no transaction is left that began before now. One that did would find the new tables under their names, and
 * in them only the rows that were there when it began.
 */
async function readsToEnd(db: Kysely<Database>, signal: AbortSignal): Promise<void> {
  const { rows } = await sql<{ now: string }>`select clock_timestamp()::text as now`.execute(db)
  const since = rows[0]?.now ?? ''
  for (let waitedMs = 0; ; waitedMs += 100) {
    const left = await sql<{ n: string }>`select count(*) as n from pg_stat_activity
      where datname = current_database() and xact_start < ${since}::timestamptz and pid <> pg_backend_pid()
        and backend_type = 'client backend' and coalesce(wait_event_type, '') <> 'Lock' and application_name <> ${SWAPPER}`.execute(
      db,
    )
    if (Number(left.rows[0]?.n) === 0) return
    if (waitedMs > READS_MS_MAX)
      throw new Problem('unavailable', `a read has been under way for ${READS_MS_MAX / 1000} s`, {
        hint: 'run the rebuild again when it is over: it goes on where it was',
      })
    await sleep(100, undefined, { signal })
  }
}

const SWAPPER = 'stepstore swap'

/** Holds project where it is, folds the rest, compares, and swaps. */
function finish(options: BesideOptions, beside: Beside): Promise<readonly Compared[]> {
  const { live, signal, isDry, logger } = options
  return live.transaction(async ({ db }) => {
    await sql.raw(`set local application_name = '${SWAPPER}'`).execute(db)
    await sql`set local idle_in_transaction_session_timeout = 0`.execute(db)
    await sql`set local statement_timeout = 0`.execute(db)
    // Nothing was read in this transaction yet, so it will see what is folded beside while it holds the lock.
    await sql`lock table cursors in exclusive mode`.execute(db)
    await beside.to(await cursors(live.db))
    if (!isDry) await readsToEnd(live.db, signal)
    const served = await schemaOf(db, 'trajectories')
    const tables = await compare(db, served)
    signal.throwIfAborted()
    if (isDry) return tables
    await replaceTables(db, served, PROJECTED)
    await sql`update cursors set epoch = epoch + 1 where projection = ${PROJECTION}`.execute(db)
    await disown(db, PROJECTION)
    await sql`update meta set value = ${String(PROJECTION_VERSION)} where name = 'projection_version'`.execute(db)
    logger('info', 'rows swapped', { differing: tables.filter(({ differs }) => differs).length })
    return tables
  })
}

/** Rebuilds. Stopped or failed, it leaves the served rows as they are, and the next one goes on where it was. */
export async function rebuildBeside(options: BesideOptions): Promise<RebuiltBeside> {
  const { live, isDry } = options
  const next = await openBeside(options)
  try {
    const beside = new Beside(options, next)
    await beside.seek()
    const resumedAt = beside.folded
    for (;;) {
      const end = await cursors(live.db)
      await beside.to(end)
      if (sum(await cursors(live.db)) - sum(end) < CLOSE_RECORDS) break
    }
    const tables = await finish(options, beside)
    if (!isDry) await dropBeside(live)
    return { records: beside.folded, resumed_at: resumedAt, tables, swapped: !isDry }
  } finally {
    await next.close()
  }
}

/** Puts back the rows that the last rebuild replaced. They are older, and project goes on from where they end. */
export function rollBack(live: Store): Promise<void> {
  return live.transaction(async ({ db }) => {
    await sql`lock table cursors in exclusive mode`.execute(db)
    const { rows } = await sql<{
      there: boolean
    }>`select to_regclass(${`${PREVIOUS}.trajectories`}) is not null as there`.execute(db)
    if (rows[0]?.there !== true)
      throw new Problem('not_found', 'there are no rows of before the last rebuild', {
        hint: 'they are kept from one rebuild to the next',
      })
    const served = await schemaOf(db, 'trajectories')
    await sql`drop schema if exists ${sql.id(NEXT)} cascade`.execute(db)
    await sql`alter schema ${sql.id(PREVIOUS)} rename to ${sql.id(NEXT)}`.execute(db)
    const before = await sql<{ partition: number; next_offset: string; last_record_hash: string | null }>`
      select partition, next_offset, last_record_hash from ${sql.id(NEXT, 'cursors')}`.execute(db)
    await replaceTables(db, served, PROJECTED)
    for (const { partition, next_offset: offset, last_record_hash: hash } of before.rows)
      await sql`update cursors set next_offset = ${offset}::bigint, last_record_hash = ${hash}, epoch = epoch + 1
        where projection = ${PROJECTION} and partition = ${partition}`.execute(db)
    await disown(db, PROJECTION)
    await sql`drop schema ${sql.id(NEXT)} cascade`.execute(db)
  })
}
