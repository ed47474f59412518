/** Numbers that trainers logged, from the store or from the lake. */
import { type Kysely, sql } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import { sqlText } from '#services/lake/engine.ts'
import { Problem } from '#services/problem.ts'
import type { FrameRun } from './frame-rows.ts'
import { type Engine, type LakePaths, queryRows, realOf, relation } from './lake-rows.ts'

/** A number that a trainer logged. */
export interface Metric {
  readonly run_id: string
  readonly train_step: number
  readonly substep: number
  readonly name: string
  /** May be NaN or infinite. */
  readonly value: number
}

/** Metrics of one request at most. */
const METRICS_MAX = 500_000

/** Those of the runs of a frame, each run cut as its trajectories are, in order. */
function ofChain(metrics: readonly Metric[], runs: readonly FrameRun[]): Metric[] {
  if (metrics.length > METRICS_MAX)
    throw new Problem('too_large', `more than ${METRICS_MAX} metrics were logged`, { hint: 'name some: name=…' })
  const cuts = new Map(runs.map(({ run_id: runId, before_train_step: before }) => [runId, before]))
  const compare = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0)
  return metrics
    .filter((metric) => metric.train_step < (cuts.get(metric.run_id) ?? Number.POSITIVE_INFINITY))
    .sort(
      (left, right) =>
        left.train_step - right.train_step ||
        left.substep - right.substep ||
        compare(left.name, right.name) ||
        compare(left.run_id, right.run_id),
    )
}

/** Metrics of runs from the store. No names: all. Throws `too_large`. */
export async function storedMetrics(
  db: Kysely<Database>,
  runs: readonly FrameRun[],
  names: readonly string[],
): Promise<Metric[]> {
  const rows = await db
    .selectFrom('metrics')
    .select(['run_id', 'train_step', 'substep', 'name', 'value'])
    .where(
      'run_id',
      'in',
      runs.map(({ run_id: runId }) => runId),
    )
    .where(
      names.length === 0
        ? sql<boolean>`true`
        : sql<boolean>`name in (${sql.join(names.map((name) => sql`${name}::text`))})`,
    )
    .limit(METRICS_MAX + 1)
    .execute()
  return ofChain(
    rows.map((row) => ({
      ...row,
      train_step: Number(row.train_step),
      substep: Number(row.substep),
      value: Number(row.value),
    })),
    runs,
  )
}

/** Metrics of runs from the lake. */
export async function lakeMetrics(
  engine: Engine,
  paths: LakePaths,
  runs: readonly FrameRun[],
  names: readonly string[],
): Promise<Metric[]> {
  const list = (values: readonly string[]) => values.map(sqlText).join(', ')
  const named = names.length === 0 ? '' : ` AND name IN (${list(names)})`
  const query = `SELECT run_id, train_step, substep, name, CAST(value AS VARCHAR) AS value FROM ${relation('metrics', paths)}
    WHERE run_id IN (${list(runs.map(({ run_id: runId }) => runId))})${named} LIMIT ${METRICS_MAX + 1}`
  const rows: Metric[] = []
  for await (const row of queryRows(engine, [], query))
    rows.push({ ...(row as unknown as Metric), value: realOf(row['value']) ?? Number.NaN })
  return ofChain(rows, runs)
}
