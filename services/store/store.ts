/** The store port: where projected rows are kept. Kysely over a Postgres dialect, plus one bulk path. */
import type { Kysely, Transaction } from 'kysely'
import type { Database, TableName } from '#schemas/tables.ts'

/** One transaction: everything in it commits together or not at all. */
export interface StoreTransaction {
  readonly db: Transaction<Database>
  /** Adds many rows that are known to be new, by COPY. Throws where a key is there already. */
  copyIn<Table extends TableName>(
    table: Table,
    columns: readonly string[],
    rows: Iterable<readonly CopyValue[]>,
  ): Promise<void>
}

/** A value for COPY: null, a number, a flag or text (JSON and instants as text). */
export type CopyValue = string | number | boolean | null

export interface Store {
  /** For reads. Each query sees what was committed when it began; inside a transaction of a store with one connection, what that sees. */
  readonly db: Kysely<Database>
  /** Runs `work` in one transaction (repeatable read). An exception rolls back and is thrown on. */
  transaction<Result>(work: (transaction: StoreTransaction) => Promise<Result>): Promise<Result>
  /** Marks the store as closed well and lets go of it. */
  close(): Promise<void>
}
