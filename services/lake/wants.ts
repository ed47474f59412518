/** What readers want of the next cut, written where whoever archives sees it. */
import { type Kysely, sql } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import type { Offsets } from '#services/position.ts'

/** Asks for a cut that includes the offsets. Asking again, or for less, changes nothing. */
export async function wantCut(db: Kysely<Database>, offsets: Offsets): Promise<void> {
  if (offsets.size === 0) return
  const rows = [...offsets]
    .sort(([left], [right]) => left - right)
    .map(([partition, next_offset]) => ({ partition, next_offset }))
  await sql`insert into cut_wants as t ("partition", next_offset)
    select "partition", next_offset from json_to_recordset(${JSON.stringify(rows)}::json) as given("partition" smallint, next_offset bigint)
    on conflict ("partition") do update set next_offset = excluded.next_offset where t.next_offset < excluded.next_offset`.execute(
    db,
  )
}

/** The furthest that was asked for, by partition. */
export async function wantedCut(db: Kysely<Database>): Promise<Map<number, number>> {
  const rows = await db.selectFrom('cut_wants').selectAll().execute()
  return new Map(rows.map((row) => [row.partition, row.next_offset]))
}
