/** Tables of one name in several schemas of a Postgres: those that are served, those that are being made, those of before. */
import { type Kysely, sql } from 'kysely'
import type { Database } from '#schemas/tables.ts'

/** Where rows are made again. */
export const NEXT = 'stepstore_next'
/** Where rows lie that were replaced, until the next rebuild. */
export const PREVIOUS = 'stepstore_previous'

/** The schema in which a table is found by its bare name. */
export async function schemaOf(db: Kysely<Database>, table: string): Promise<string> {
  const { rows } = await sql<{ name: string }>`
    select n.nspname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = to_regclass(${table})`.execute(
    db,
  )
  return rows[0]?.name ?? 'public'
}

/** What other roles may do with a table, as statements that grant it again. */
async function grantsOn(db: Kysely<Database>, schema: string, table: string): Promise<string[]> {
  const { rows } = await sql<{ statement: string }>`
    select format('grant %s on %I.%I to %s', a.privilege_type, n.nspname, c.relname,
      case when a.grantee = 0 then 'public' else quote_ident(r.rolname) end) as statement
    from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join lateral aclexplode(c.relacl) a left join pg_roles r on r.oid = a.grantee
    where n.nspname = ${schema} and c.relname = ${table} and a.grantee <> c.relowner`.execute(db)
  return rows.map(({ statement }) => statement)
}

/** Moves tables out of what is served into PREVIOUS, which is emptied first, and those of NEXT into their place, with the same rights. */
export async function replaceTables(db: Kysely<Database>, served: string, tables: readonly string[]): Promise<void> {
  await sql`drop schema if exists ${sql.id(PREVIOUS)} cascade`.execute(db)
  await sql`create schema ${sql.id(PREVIOUS)}`.execute(db)
  await sql`create table ${sql.id(PREVIOUS, 'cursors')} as select * from ${sql.id(served, 'cursors')} where projection = 'project'`.execute(
    db,
  )
  for (const table of tables) {
    const grants = await grantsOn(db, served, table)
    await sql`alter table ${sql.id(served, table)} set schema ${sql.id(PREVIOUS)}`.execute(db)
    await sql`alter table ${sql.id(NEXT, table)} set schema ${sql.id(served)}`.execute(db)
    for (const grant of grants) await sql.raw(grant).execute(db)
  }
}
