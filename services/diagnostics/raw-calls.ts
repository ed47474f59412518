/**
 * Calls and annotations once more, from the raw events of the lake alone: neither the places that the projection folded
 * nor the rows of `tool_calls` and `annotations` are read. What is computed from them is what the numbers must be.
 */
import type { Data } from '#schemas/events/define.ts'
import { type Engine, type LakePaths, EVENT_DATA, queryRows, relation } from '#services/analytics/lake-rows.ts'
import { compareValues } from '#services/analytics/buckets.ts'
import type { Selection } from '#services/analytics/select.ts'
import { callsOfEvents } from './call-events.ts'
import { type AnnotationRow, CallTable } from './call-table.ts'
import { comparison } from './comparison.ts'
import { errorSeries } from './error-series.ts'
import { toolSeries, withCalls } from './tool-series.ts'

const texts = (values: readonly string[]): string => values.map((text) => `'${text.replaceAll("'", "''")}'`).join(', ')

const TYPES = ['trajectory.started', 'trajectory.finished', 'step.recorded', 'trajectory.annotated'] as const

interface Line {
  readonly trajectory_id: string
  readonly type: (typeof TYPES)[number]
  readonly data: string | null
}

/** Of each event what calls and annotations need, so that no body is written out. */
const DATA = `CASE type WHEN 'trajectory.started' THEN json_object('tools', data -> '$.tools')
  WHEN 'step.recorded' THEN json_object('step_index', data -> '$.step_index', 'tool_calls', data -> '$.tool_calls')
  WHEN 'trajectory.annotated' THEN data END`

function annotationOf(data: Data): AnnotationRow {
  const said = (name: string): string | null => (data[name] ?? null) as string | null
  return {
    codes: (data['codes'] ?? []) as string[],
    annotator: said('annotator'),
    method: said('method'),
    round: said('round'),
    outcome: said('outcome'),
  }
}

/** The calls of all trajectories of these runs that have one of TYPES. */
export async function rawCalls(engine: Engine, paths: LakePaths, runIds: readonly string[]): Promise<CallTable> {
  const table = new CallTable()
  const events = relation('events', paths)
  const mine = `SELECT trajectory_id FROM ${events} WHERE trajectory_id IS NOT NULL AND verdict = 'accepted'
    GROUP BY trajectory_id HAVING min(run_id) IN (${texts(runIds)})`
  const query = `SELECT trajectory_id, type, CAST(${DATA} AS VARCHAR) AS data
    FROM (SELECT trajectory_id, type, "offset", ${EVENT_DATA} AS data FROM ${events}
      WHERE verdict = 'accepted' AND type IN (${texts(TYPES)}) AND trajectory_id IN (${mine}))
    ORDER BY trajectory_id, "offset"`
  let id: string | undefined
  let lines: Line[] = []
  const flush = (): void => {
    if (id === undefined) return
    const dataOf = (type: Line['type']): Data[] =>
      lines.flatMap((line) => (line.type === type && line.data !== null ? [JSON.parse(line.data) as Data] : []))
    const steps = dataOf('step.recorded').sort(
      (left, right) => Number(left['step_index']) - Number(right['step_index']),
    )
    table.put(id, callsOfEvents(dataOf('trajectory.started')[0], steps))
    table.annotate(id, dataOf('trajectory.annotated').map(annotationOf))
  }
  for await (const row of queryRows(engine, [], query)) {
    const line = row as unknown as Line
    if (line.trajectory_id !== id) {
      flush()
      id = line.trajectory_id
      lines = []
    }
    lines.push(line)
  }
  flush()
  return table
}

const ALL_WORDS = { methods: [], rounds: [], annotators: [] }

/** Every statistic of calls and annotations over a selection, as plain values. */
export function callNumbers(all: Selection, table: CallTable): Record<string, unknown[]> {
  const selection = withCalls(all, table)
  const { frame, rows } = selection
  const plain = <Row extends { readonly bucket: { readonly by: object }; readonly statistics: object }>(found: Row[]) =>
    found.map(({ bucket, statistics }) => ({ ...bucket.by, ...statistics }))
  const versions = [...new Set(Array.from(rows, (row) => frame.policyVersion.get(row)))].sort(compareValues)
  const of = (version: number | null | undefined): Selection => ({
    ...selection,
    rows: rows.filter((row) => frame.policyVersion.get(row) === version),
  })
  return {
    tools: plain(toolSeries(selection, table, ['train_step'])),
    errors: plain(errorSeries(selection, table, ['policy_version'], ALL_WORDS)),
    errors_changes: [comparison(of(versions[0]), of(versions.at(-1)), table, ALL_WORDS)],
  }
}
