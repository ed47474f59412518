/** /metrics: Prometheus text. */
import type { Database } from '#schemas/tables.ts'
import type { Store } from '#services/store/store.ts'
import type { Log } from '#services/log/log.ts'
import { asNumber } from './reading.ts'
import type { RequestCounts } from './requests.ts'
import { type Kysely, sql } from 'kysely'

type Sample = readonly [labels: Readonly<Record<string, string | number>>, value: number]

function escaped(value: string | number): string {
  return String(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function family(name: string, type: 'counter' | 'gauge', help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([labels, value]) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`)
    return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`
  })
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n')
}

const VERDICTS = ['accepted', 'duplicates', 'conflicts', 'unreadable', 'misrouted'] as const

/** Processes whose lease runs, by program. A server that is alone has none. */
async function aliveWorkers(
  db: Kysely<Database>,
): Promise<readonly { readonly program: string; readonly n: number }[]> {
  const { rows } = await sql<{ program: string; n: number }>`
    select program, ${asNumber(sql`count(*)`)} as n from workers
    where lease_until_ms >= (extract(epoch from clock_timestamp()) * 1000)::bigint group by 1 order by 1`.execute(db)
  return rows
}

/** Everything that the store counts, as of one moment. */
const counted = (store: Store) =>
  store.transaction(async ({ db }) => ({
    totals: await db.selectFrom('partition_totals').selectAll().orderBy('partition').execute(),
    cursors: await db.selectFrom('cursors').selectAll().orderBy('projection').orderBy('partition').execute(),
    workers: await aliveWorkers(db),
    claims: await db
      .selectFrom('claims')
      .select(['projection', 'part', 'epoch'])
      .orderBy('projection')
      .orderBy('part')
      .execute(),
    cuts: await db
      .selectFrom('snapshots')
      .where('published', '=', true)
      .select([asNumber(sql`count(*)`).as('n'), asNumber(sql`coalesce(max(snapshot_id), 0)`).as('newest')])
      .executeTakeFirstOrThrow(),
    quarantined: await db
      .selectFrom('quarantine')
      .where('state', '=', 'open')
      .select(asNumber(sql`count(*)`).as('n'))
      .executeTakeFirstOrThrow(),
  }))

/** What the store and the log hold, and what was asked of this process. */
export async function metricsText(store: Store, log: Log, requests: RequestCounts): Promise<string> {
  const bounds = await log.bounds()
  const { totals, cursors, cuts, quarantined, workers, claims } = await counted(store)
  const place = ({ projection, partition }: { projection: string; partition: number }) => ({ projection, partition })
  return [
    family(
      'stepstore_records_total',
      'counter',
      'Records of the log by verdict.',
      totals.flatMap((row) =>
        VERDICTS.map((verdict): Sample => [{ partition: row.partition, verdict }, row[`n_${verdict}`]]),
      ),
    ),
    family(
      'stepstore_log_end_offset',
      'gauge',
      'The next offset of each partition.',
      bounds.map(({ end }, partition): Sample => [{ partition }, end]),
    ),
    family(
      'stepstore_cursor_offset',
      'gauge',
      'Everything below is folded.',
      cursors.map((row): Sample => [place(row), row.next_offset]),
    ),
    family(
      'stepstore_lag_records',
      'gauge',
      'Records of the log that are not folded yet.',
      cursors.map((row): Sample => [place(row), Math.max(0, (bounds[row.partition]?.end ?? 0) - row.next_offset)]),
    ),
    family(
      'stepstore_workers',
      'gauge',
      'Processes that fold or archive and are alive.',
      workers.map(({ program, n }): Sample => [{ program }, n]),
    ),
    family(
      'stepstore_claim_epoch',
      'counter',
      'How often a part of the work changed hands.',
      claims.map(({ projection, part, epoch }): Sample => [{ projection, part }, epoch]),
    ),
    family('stepstore_cuts_total', 'counter', 'Snapshots of the lake that are published.', [[{}, cuts.n]]),
    family('stepstore_snapshot_newest', 'gauge', 'The newest snapshot of the lake.', [[{}, cuts.newest]]),
    family('stepstore_quarantine_open', 'gauge', 'Quarantined records that nobody settled.', [[{}, quarantined.n]]),
    family(
      'stepstore_requests_total',
      'counter',
      'Requests by route and status.',
      requests.all().map(({ method, route, status, n }): Sample => [{ method, route, status }, n]),
    ),
    family(
      'stepstore_request_duration_ms_sum',
      'counter',
      'How long those requests took, added.',
      requests
        .all()
        .map(({ method, route, status, total_ms: total }): Sample => [
          { method, route, status },
          Math.round(total * 1000) / 1000,
        ]),
    ),
  ].join('')
}
