/** The migrations make the tables that the definitions describe, on PGlite and on a real Postgres alike. */
import { type Kysely, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TABLES, type Database } from '#schemas/tables.ts'
import { silent } from '#services/logger.ts'
import { migrate, readMigrations } from '#services/store/migrate.ts'
import { pgliteStore } from '#services/store/pglite.ts'
import { connect, type RealPostgres, realPostgres } from '#tests/support/real-postgres.ts'

let postgres: RealPostgres
beforeAll(async () => {
  postgres = await realPostgres()
}, 120_000)
afterAll(() => postgres.stop())

async function freshDatabase(name: string): Promise<string> {
  const admin = connect(postgres.url('postgres'), 1)
  await sql`create database ${sql.id(name)}`.execute(admin)
  await admin.destroy()
  return postgres.url(name)
}

interface Seen {
  readonly table_name: string
  readonly column_name: string
  readonly data_type: string
  readonly is_nullable: string
}

async function columnsOf(db: Kysely<Database>): Promise<Record<string, Record<string, string>>> {
  const { rows } =
    await sql<Seen>`select table_name, column_name, data_type, is_nullable from information_schema.columns where table_schema = 'public' and table_name <> 'migrations' order by 1, ordinal_position`.execute(
      db,
    )
  const tables: Record<string, Record<string, string>> = {}
  for (const row of rows)
    (tables[row.table_name] ??= {})[row.column_name] = `${row.data_type}${row.is_nullable === 'YES' ? ' null' : ''}`
  return tables
}

async function keysOf(db: Kysely<Database>): Promise<Record<string, string[]>> {
  const { rows } = await sql<{ table_name: string; columns: string }>`
    select c.relname as table_name, string_agg(a.attname, ',' order by array_position(i.indkey::int2[], a.attnum)) as columns
    from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey::int2[])
    where i.indisprimary and n.nspname = 'public' and c.relname <> 'migrations' group by 1 order by 1`.execute(db)
  return Object.fromEntries(rows.map((row) => [row.table_name, row.columns.split(',')]))
}

const defined = Object.fromEntries(
  Object.entries(TABLES).map(([name, { columns }]) => [
    name,
    Object.fromEntries(
      Object.entries<{ sql: string; nullable: boolean }>(columns).map(([column, { sql: type, nullable }]) => [
        column,
        `${type}${nullable ? ' null' : ''}`,
      ]),
    ),
  ]),
)
const definedKeys = Object.fromEntries(Object.entries(TABLES).map(([name, { key }]) => [name, [...key]]))

describe('the schema', () => {
  it('is what the definitions say, on PGlite', { timeout: 60_000 }, async () => {
    const store = await pgliteStore({ clock: () => new Date(), logger: silent })
    expect(await columnsOf(store.db)).toEqual(defined)
    expect(await keysOf(store.db)).toEqual(definedKeys)
    await store.close()
  })

  it(
    'is what the definitions say, on a real Postgres, when twenty processes migrate at once',
    { timeout: 60_000 },
    async () => {
      const url = await freshDatabase('twenty')
      const migrations = await readMigrations()
      const databases = Array.from({ length: 20 }, () => connect(url, 1))
      await Promise.all(databases.map((db) => migrate(db, migrations)))
      const [db] = databases
      expect(await columnsOf(db!)).toEqual(defined)
      expect(await keysOf(db!)).toEqual(definedKeys)
      await Promise.all(databases.map((each) => each.destroy()))
    },
  )

  it('refuses a database of a newer version, and one whose migration was edited', async () => {
    const url = await freshDatabase('newer')
    const db = connect(url, 1)
    const migrations = await readMigrations()
    await migrate(db, migrations)
    await expect(migrate(db, [])).rejects.toMatchObject({ code: 'newer_data' })
    await expect(
      migrate(
        db,
        migrations.map((migration) => ({ ...migration, sha256: 'edited' })),
      ),
    ).rejects.toMatchObject({ code: 'corrupt' })
    await db.destroy()
  })
})
