/** One question, asked of the same snapshot by every way there is: all of them give the same numbers. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, inject, it } from 'vitest'
import { until } from '#tests/support/processes.ts'
import { pythonWith } from '#tests/support/python.ts'
import { getJson, readWith } from './reader.ts'

const { open, runs, snapshots, lakeDir } = inject('readers')
const last = snapshots.at(-1) ?? 0

/** For each policy version of a run: trajectories, the sum of rewards, steps, tool calls, right ones. */
type Numbers = readonly (readonly number[])[]

const TABLES = ['trajectories', 'scores', 'tool_calls'] as const

/** The question in SQL that every engine knows; `of` names a table. */
const question = (run: string, of: (table: (typeof TABLES)[number]) => string): string => `
  select t.policy_version, count(*), sum(s.reward), sum(t.n_steps_seen), sum(coalesce(c.n, 0)), sum(case when s.reward >= 1 then 1 else 0 end)
  from ${of('trajectories')} t
  join ${of('scores')} s on s.trajectory_id = t.trajectory_id and s.reward_version is null
  left join (select trajectory_id, count(*) n from ${of('tool_calls')} group by trajectory_id) c on c.trajectory_id = t.trajectory_id
  where t.run_id = '${run}' and s.reward is not null
  group by t.policy_version order by t.policy_version`

async function asked(attach: string | null, sql: string): Promise<Numbers> {
  const { rows } = await readWith<{ rows: Numbers }>('ask-duckdb.py', {
    extensions: ['httpfs', 'ducklake'],
    attach,
    sql,
  })
  return rows
}

async function parquetFiles(run: string): Promise<Numbers> {
  const urls = await Promise.all(
    TABLES.map(async (table) => {
      const path = `/v1/lake/${table}/files?snapshot=${last}&limit=1000`
      const { rows } = await getJson<{ rows: { url: string }[] }>(open, path)
      return [table, `read_parquet([${rows.map(({ url }) => `'${url}'`).join(', ')}], union_by_name = true)`] as const
    }),
  )
  const sources = new Map(urls)
  return asked(
    null,
    question(run, (table) => sources.get(table) ?? ''),
  )
}

interface GroupsPage {
  readonly rows: readonly { readonly policy_version: number; readonly group_id: string }[]
  readonly next: string | null
}

interface Group {
  readonly policy_version: number
  readonly members: readonly { readonly trajectory_id: string; readonly reward: number; readonly n_steps: number }[]
}

async function api(run: string): Promise<Numbers> {
  const { rows } = await getJson<GroupsPage>(open, `/v1/groups?run=${encodeURIComponent(run)}&limit=1000`)
  const totals = new Map<number, number[]>()
  for (const { group_id } of rows) {
    const { policy_version, members } = await getJson<Group>(open, `/v1/groups/${encodeURIComponent(group_id)}`)
    const sums = totals.get(policy_version) ?? [policy_version, 0, 0, 0, 0, 0]
    totals.set(policy_version, sums)
    for (const { trajectory_id, reward, n_steps } of members) {
      const path = `/v1/trajectories/${encodeURIComponent(trajectory_id)}`
      const { n_tool_calls } = await getJson<{ n_tool_calls: number }>(open, path)
      for (const [index, more] of [0, 1, reward, n_steps, n_tool_calls, reward >= 1 ? 1 : 0].entries())
        sums[index] = (sums[index] ?? 0) + more
    }
  }
  return [...totals.values()].sort(([left = 0], [right = 0]) => left - right)
}

/** The rows of the dataset, added up here. */
async function dataset(run: string): Promise<Numbers> {
  const sql = `select policy_version, count(*), sum(reward), null, null, sum(case when reward >= 1 then 1 else 0 end)
    from '${open.url}/v1/datasets/trajectories.parquet?run=${encodeURIComponent(run)}&snapshot=${last}'
    where reward is not null group by policy_version order by policy_version`
  return asked(null, sql)
}

/** The snapshot that the Delta log of a table has come to. */
function deltaSnapshot(table: string): number {
  const folder = join(lakeDir, table, '_delta_log')
  if (!existsSync(folder)) return 0
  const newest = readdirSync(folder)
    .filter((name) => /^\d{20}\.json$/.test(name))
    .sort()
    .at(-1)
  if (newest === undefined) return 0
  const lines = readFileSync(join(folder, newest), 'utf8').trimEnd().split('\n')
  return Math.max(0, ...lines.map((line) => (JSON.parse(line) as { txn?: { version: number } }).txn?.version ?? 0))
}

/** Delta tables in the folder of the lake, of which the scores changed last. */
async function delta(run: string): Promise<Numbers> {
  await until('the last snapshot in the Delta log', () => (deltaSnapshot('scores') >= last ? true : undefined), 60_000)
  const { rows } = await readWith<{ rows: Numbers }>(
    'ask-duckdb.py',
    { extensions: ['delta'], attach: null, sql: question(run, (table) => `delta_scan('${join(lakeDir, table)}')`) },
    await pythonWith(join(import.meta.dirname, 'requirements-delta.txt')),
  )
  return rows
}

/** Every way to ask, by name. Add one here, and it is held to the same numbers. */
const WAYS: Readonly<Record<string, (run: string) => Promise<Numbers>>> = {
  'Parquet files over HTTP': parquetFiles,
  DuckLake: (run) =>
    asked(
      `${open.url}/v1/lake/${last}.ducklake`,
      question(run, (table) => `s.${table}`),
    ),
  Delta: delta,
  'a dataset by URL': dataset,
}

describe.each([runs.played, ...(runs.real === undefined ? [] : [runs.real])])('the same question of %s', (run) => {
  it('has an answer with something in it', async () => {
    const numbers = await api(run)
    expect(numbers.length).toBeGreaterThan(0)
    for (const [, trajectories = 0, ...others] of numbers) {
      expect(trajectories).toBeGreaterThan(20)
      for (const value of others) expect(value).toBeGreaterThan(0)
    }
  })

  it.each(Object.entries(WAYS))('has the same answer by %s as by the API', async (_, way) => {
    const [expected, found] = await Promise.all([api(run), way(run)])
    expect(found.length).toBe(expected.length)
    for (const [index, row] of found.entries())
      for (const [column, value] of row.entries())
        if (value !== null)
          expect(value, `row ${index}, column ${column}`).toBeCloseTo(Number(expected[index]?.[column]), 9)
  })
})
