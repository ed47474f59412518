/** How well everything keeps up and what lies about: for `doctor`, each finding with the command that mends it. */
import { type Kysely, sql } from 'kysely'
import { CURSOR_OF, type Database, TABLES } from '#schemas/tables.ts'
import { deltaThrough } from '#services/lake/delta-progress.ts'
import type { Bounds } from '#services/log/log.ts'
import { parseOffsets } from '#services/position.ts'

/** Something wrong, and what to do. */
export interface Finding {
  readonly what: string
  readonly mend: string
}

export interface PartitionLag {
  readonly partition: number
  /** The next offset of the log. */
  readonly log_end: number
  /** Records of the log that the store does not include. */
  readonly store_behind: number
  /** Records of the log that the lake does not include. */
  readonly lake_behind: number
}

export interface Upkeep {
  readonly lag: readonly PartitionLag[]
  /** Records in quarantine that nobody has looked after. */
  readonly quarantined: number
  /** Snapshots that are kept, and those that are entered and not published. */
  readonly snapshots: number
  readonly unpublished: number
  /** Snapshots that the Delta logs do not have yet. */
  readonly delta_behind: number
  /** Files of the newest snapshot. */
  readonly files: { readonly n: number; readonly bytes: number }
  /** Files that only older snapshots have. */
  readonly superseded: { readonly n: number; readonly bytes: number }
  /** Objects that no snapshot has. */
  readonly orphans: { readonly n: number; readonly bytes: number }
  readonly findings: readonly Finding[]
}

/** More than this is not on its way any more: something stands still. */
const LAG_RECORDS_MAX = 1_000_000
const DELTA_BEHIND_MAX = 100
/** Offsets are given out and instants compared by the clocks of several machines. */
const CLOCK_MS_MAX = 5_000

/** Columns that are missing, or of another type, or more than were defined. */
async function driftOf(db: Kysely<Database>): Promise<Finding[]> {
  const { rows } = await sql<{ table_name: string; column_name: string; data_type: string; is_nullable: string }>`
    select table_name, column_name, data_type, is_nullable from information_schema.columns where table_schema = current_schema()`.execute(
    db,
  )
  const found = new Map(
    rows.map((row) => [
      `${row.table_name}.${row.column_name}`,
      `${row.data_type}${row.is_nullable === 'YES' ? ' null' : ''}`,
    ]),
  )
  const drift: string[] = []
  for (const [table, { columns }] of Object.entries(TABLES)) {
    for (const [name, column] of Object.entries<{ sql: string; nullable: boolean }>(columns)) {
      const column_name = `${table}.${name}`
      const wanted = `${column.sql}${column.nullable ? ' null' : ''}`
      const is = found.get(column_name)
      if (is === undefined) drift.push(`${column_name} is missing`)
      else if (is !== wanted) drift.push(`${column_name} is ${is} and should be ${wanted}`)
    }
    const known: object = columns
    for (const name of found.keys())
      if (name.startsWith(`${table}.`) && !Object.hasOwn(known, name.slice(table.length + 1)))
        drift.push(`${name} is not one of ours`)
  }
  return drift.length === 0
    ? []
    : [
        {
          what: `the tables of the store are not as this version makes them: ${drift.slice(0, 5).join('; ')}${drift.length > 5 ? `; and ${drift.length - 5} more` : ''}`,
          mend: 'undo what was changed by hand, or drop the tables and start: the rows come back from the log, the catalog from blobs',
        },
      ]
}

/** Settings of a Postgres that endanger what is promised. */
async function settingsOf(db: Kysely<Database>, nowMs: number): Promise<Finding[]> {
  const { rows } = await sql<{ version: string; fsync: string; commit: string; pages: string; now_ms: number }>`
    select version() as version, current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit, current_setting('full_page_writes') as pages,
      (extract(epoch from clock_timestamp()) * 1000)::double precision as now_ms`.execute(db)
  const [found] = rows
  // PGlite syncs nothing, and says so: that is why it is folded again when the machine went down under it.
  if (found === undefined || found.version.includes('PGlite')) return []
  const findings: Finding[] = []
  for (const [name, value] of Object.entries({
    fsync: found.fsync,
    full_page_writes: found.pages,
    synchronous_commit: found.commit,
  }))
    if (value === 'off')
      findings.push({
        what: `${name} is off in Postgres: a power cut may take back what was answered`,
        mend: `alter system set ${name} = on, and reload Postgres`,
      })
  const aheadMs = Math.round(found.now_ms - nowMs)
  if (Math.abs(aheadMs) > CLOCK_MS_MAX)
    findings.push({
      what: `the clock of Postgres is ${Math.abs(aheadMs) / 1000} s ${aheadMs > 0 ? 'ahead of' : 'behind'} that of this machine`,
      mend: 'let both keep their time by NTP (timedatectl set-ntp true)',
    })
  return findings
}

/** What can be said from numbers alone. */
export function findingsOf(upkeep: Omit<Upkeep, 'findings'>): Finding[] {
  const findings: Finding[] = []
  const most = (pick: (lag: PartitionLag) => number): number => upkeep.lag.reduce((sum, lag) => sum + pick(lag), 0)
  if (most((lag) => lag.store_behind) > LAG_RECORDS_MAX)
    findings.push({
      what: `the store is ${most((lag) => lag.store_behind)} records behind the log`,
      mend: 'see /readyz for why; run more processes with PROGRAMS=project',
    })
  else if (most((lag) => lag.lake_behind) > LAG_RECORDS_MAX)
    findings.push({
      what: `the lake is ${most((lag) => lag.lake_behind)} records behind the log`,
      mend: 'see /readyz for why; run a process with PROGRAMS=archive',
    })
  if (upkeep.quarantined > 0)
    findings.push({
      what: `${upkeep.quarantined} records could not be read`,
      mend: 'npx stepstore quarantine ls, then retry or drop them',
    })
  if (upkeep.unpublished > 1)
    findings.push({
      what: `${upkeep.unpublished} snapshots wait for their record in blobs`,
      mend: 'see whether BLOBS_URL can be written',
    })
  if (upkeep.delta_behind > DELTA_BEHIND_MAX)
    findings.push({
      what: `the Delta logs are ${upkeep.delta_behind} snapshots behind`,
      mend: 'run a process with PROGRAMS=archive, and see its log; or npx stepstore compact',
    })
  if (upkeep.orphans.bytes > 1024 ** 3 && upkeep.orphans.bytes > upkeep.files.bytes)
    findings.push({
      what: `objects that no snapshot has take more room than the lake (${upkeep.orphans.n} of them)`,
      mend: 'npx stepstore compact removes those that are a day old',
    })
  return findings
}

async function sizes(db: Kysely<Database>): Promise<Pick<Upkeep, 'files' | 'superseded' | 'orphans'>> {
  const { rows } = await sql<{ kind: 'files' | 'superseded' | 'orphans'; n: number; bytes: number }>`
    select case when end_snapshot is null then 'files' else 'superseded' end as kind, count(*)::double precision as n, sum(bytes)::double precision as bytes
    from data_files group by 1
    union all select 'orphans', count(*)::double precision, coalesce(sum(bytes), 0)::double precision from lake_orphans where not doomed`.execute(
    db,
  )
  const of = (kind: string) => {
    const row = rows.find((found) => found.kind === kind)
    return { n: row?.n ?? 0, bytes: row?.bytes ?? 0 }
  }
  return { files: of('files'), superseded: of('superseded'), orphans: of('orphans') }
}

/** Looks at the store and, by its bounds, at the log. `nowMs` is the time in milliseconds since 1970. */
export async function upkeepOf(db: Kysely<Database>, bounds: readonly Bounds[], nowMs: number): Promise<Upkeep> {
  const drift = await driftOf(db)
  const settings = await settingsOf(db, nowMs)
  // What is not there cannot be counted.
  const numbers = drift.length > 0 ? undefined : await numbersOf(db, bounds)
  return numbers === undefined
    ? { ...NOTHING, findings: [...drift, ...settings] }
    : { ...numbers, findings: [...settings, ...findingsOf(numbers)] }
}

const NONE = { n: 0, bytes: 0 }
const NOTHING: Omit<Upkeep, 'findings'> = {
  lag: [],
  quarantined: 0,
  snapshots: 0,
  unpublished: 0,
  delta_behind: 0,
  files: NONE,
  superseded: NONE,
  orphans: NONE,
}

async function numbersOf(db: Kysely<Database>, bounds: readonly Bounds[]): Promise<Omit<Upkeep, 'findings'>> {
  const cursors = await db.selectFrom('cursors').selectAll().where('projection', '=', CURSOR_OF.project).execute()
  const folded = new Map(cursors.map((row) => [row.partition, row.next_offset]))
  const snapshots = await db
    .selectFrom('snapshots')
    .select(['snapshot_id', 'cut', 'published'])
    .orderBy('snapshot_id', 'desc')
    .execute()
  const newest = snapshots.find(({ published }) => published)
  const cut = parseOffsets(newest?.cut ?? '')
  const quarantined = await db
    .selectFrom('quarantine')
    .select(sql<number>`count(*)::double precision`.as('n'))
    .where('state', '=', 'open')
    .executeTakeFirst()
  return {
    lag: bounds.map(({ end }, partition) => ({
      partition,
      log_end: end,
      store_behind: Math.max(0, end - (folded.get(partition) ?? 0)),
      lake_behind: Math.max(0, end - (cut.get(partition) ?? 0)),
    })),
    quarantined: quarantined?.n ?? 0,
    snapshots: snapshots.length,
    unpublished: snapshots.filter(({ published }) => !published).length,
    delta_behind: Math.max(0, (newest?.snapshot_id ?? 0) - (await deltaThrough(db))),
    ...(await sizes(db)),
  }
}
