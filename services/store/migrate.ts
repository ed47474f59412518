/** Brings a database to the newest schema. Forward only; what was applied is never edited, and its hash proves it. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import { Problem } from '#services/problem.ts'

/** A migration file. */
export interface Migration {
  readonly number: number
  readonly name: string
  readonly text: string
  readonly sha256: string
}

/** Any database: migrations run before its tables are known. */
type Untyped = Record<string, Record<string, unknown>>

const FOLDER = join(import.meta.dirname, '..', '..', 'migrations')

/** The migrations of this version, in order. */
export async function readMigrations(folder = FOLDER): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{6}_[a-z0-9_]+\.sql$/.test(name)).sort()
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(folder, name), 'utf8')
      return { number: Number(name.slice(0, 6)), name, text, sha256: createHash('sha256').update(text).digest('hex') }
    }),
  )
}

/** The number of the advisory lock that migrators of one database queue at; any constant would do. */
const LOCK = 5_739_201

type Applied = ReadonlyMap<number, { readonly name: string; readonly sha256: string }>

async function applied(db: Kysely<Untyped>): Promise<Applied> {
  const rows = await sql<{
    number: number
    name: string
    sha256: string
  }>`select number, name, sha256 from migrations`.execute(db)
  return new Map(rows.rows.map((row) => [row.number, row]))
}

/** Throws where the database is not one that this version may use. */
function checkApplied(done: Applied, migrations: readonly Migration[]): void {
  const newest = migrations.at(-1)?.number ?? 0
  for (const [number, { name, sha256 }] of done) {
    const ours = migrations.find((migration) => migration.number === number)
    if (number > newest || ours === undefined) {
      throw new Problem('newer_data', `the store was written by a newer version (it has migration ${name})`, {
        hint: 'run that version, or a newer one',
      })
    }
    if (ours.sha256 !== sha256) {
      throw new Problem('corrupt', `migration ${name} was edited after it was applied`, {
        hint: 'restore the file; changes belong in a new migration',
      })
    }
  }
}

/** Whether nothing is missing. Asked with no right but to read, since a role that only works with rows may not make tables. */
async function isCurrent(db: Kysely<Untyped>, migrations: readonly Migration[]): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`select to_regclass('migrations') is not null as found`.execute(db)
  if (rows[0]?.found !== true) return false
  const done = await applied(db)
  checkApplied(done, migrations)
  return migrations.every(({ number }) => done.has(number))
}

/**
 * Applies what is missing, in one transaction. Any number of processes may call it at once. Throws `newer_data` where
 * the database knows migrations that this version does not, `corrupt` where an applied one was edited since.
 */
export async function migrate<Tables>(database: Kysely<Tables>, migrations: readonly Migration[]): Promise<void> {
  const db = database as unknown as Kysely<Untyped>
  if (await isCurrent(db, migrations)) return
  await db.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(${LOCK})`.execute(transaction)
    await sql`create table if not exists migrations (number integer primary key, name text not null, sha256 text not null)`.execute(
      transaction,
    )
    const done = await applied(transaction)
    checkApplied(done, migrations)
    for (const { number, name, text, sha256 } of migrations) {
      if (done.has(number)) continue
      for (const statement of splitStatements(text)) await sql.raw(statement).execute(transaction)
      await sql`insert into migrations (number, name, sha256) values (${number}, ${name}, ${sha256})`.execute(
        transaction,
      )
    }
  })
}

/** Cuts a migration into statements at semicolons that end a line; our migrations hold no function bodies. */
function splitStatements(text: string): string[] {
  return text
    .split(/;\s*$/m)
    .map((statement) => statement.replace(/^\s*--.*$/gm, '').trim())
    .filter((statement) => statement !== '')
}
