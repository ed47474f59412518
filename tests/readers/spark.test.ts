/** Datasets as Spark SQL over the Delta tables: the same rows, values, types and order as the Parquet of the API. */
import { cpSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { runPython } from '#tests/support/python.ts'
import { newWorld, type ServerProcess, startServer, type World } from '#tests/support/server-process.ts'
import { ODD_EVENTS, ODD_MODEL } from './odd-rollouts.ts'
import { readWith } from './reader.ts'
import { sparkJars, sparkPython } from './spark.ts'

interface SparkDataset {
  readonly snapshot: number
  readonly url: string
  readonly sql: string
  readonly counts_sql: string
  readonly tables: readonly { readonly name: string; readonly path: string; readonly version: number }[]
}
interface Compared {
  readonly columns: readonly unknown[]
  readonly rows: readonly number[]
  readonly first_difference: unknown
}
interface Counts {
  readonly rows: number
  readonly filtered: Readonly<Record<string, number>>
  readonly left_out: Readonly<Record<string, number>>
}

const { runs } = inject('readers')
const played = encodeURIComponent(runs.played)
const ODD = 'run=odd%20run'
const ALL = 'include=gap&include=conflicted&include=missing_image'

/** Recipes with what is asked of them. */
const REQUESTS = [
  'trajectories',
  `trajectories?${ODD}&${ALL}`,
  `trajectories?${ODD}&${ALL}&actor_model=${encodeURIComponent(ODD_MODEL)}`,
  'trajectories?correct=true&dataset=stepstore-figureqa&family=chart',
  'trajectories?reward_version=late&reward_lte=0.25',
  `trajectories?${ODD}&${ALL}&reward_version=r1&answer_match=true&format_ok=false`,
  `trajectories?${ALL}&reward_gte=0.4999999&reward_ne=1`,
  'trajectories?n_steps_gte=1&n_steps_lt=3&n_tool_calls_ne=5&tokens_gt=0',
  `trajectories?${ODD}&tool=ocr&tool=none&${ALL}`,
  'trajectories?error_code=E1&error_code=E2',
  'trajectories?split=train&exclude_split=test&status=completed&end_reason=answer',
  'trajectories?policy_version=1&limit=7&seed=3',
  'trajectories?limit=9',
  'trajectories?per_item=2&seed=11&limit=20',
  'trajectories?holdout=0.4&part=train&per_item=1',
  'trajectories?holdout=0.4&part=val&shard=1/2',
  'trajectories?item=no-such-item',
  `steps?${ODD}&${ALL}`,
  `steps?run=${played}&images=url&limit=5&seed=2`,
  `sft?${ODD}&${ALL}`,
  `sft?run=${played}&images=url&correct=true&shard=0/2`,
  ...(runs.real === undefined ? [] : [`sft?run=${runs.real}&limit=20&seed=1`]),
]

let world: World
let server: ServerProcess
let folder: string
let snapshot: number

async function json<Value>(path: string): Promise<Value> {
  const answer = await fetch(`${world.url}${path}`)
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
  return (await answer.json()) as Value
}

/** The path with something more in its name and in its query. */
function pathOf(request: string, more: string, query: string): string {
  const [name = '', given = ''] = request.split('?')
  return `/v1/datasets/${name}${more}?${[given, query].filter((part) => part !== '').join('&')}`
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepstore-spark-'))
  world = await newWorld()
  cpSync(inject('readers').dataDir, world.dataDir, { recursive: true })
  server = startServer(world)
  await server.ready()
  const lines = ODD_EVENTS.map((event, at) =>
    JSON.stringify({ specversion: '1.0', id: `odd ${at}`, source: '/tests', ...event }),
  )
  const sent = await fetch(`${world.url}/v1/events?strict=true`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  })
  if (!sent.ok) throw new Error(await sent.text())
  const { rows } = await json<{ rows: { snapshot_id: number }[] }>('/v1/snapshots?limit=1&after=latest&wait=60')
  snapshot = rows[0]?.snapshot_id ?? 0
})
afterAll(async () => {
  await server.sigterm()
  await rm(folder, { recursive: true, force: true })
})

async function ofSpark(requests: readonly string[], at: number): Promise<(SparkDataset & { output: string })[]> {
  const made: (SparkDataset & { output: string })[] = []
  for (const [index, request] of requests.entries()) {
    const dataset = await json<SparkDataset>(pathOf(request, '/spark', `snapshot=${at}&wait=60`))
    made.push({ ...dataset, output: join(folder, `${at}-${index}`) })
  }
  return made
}

/** What the API counts of a request, as the query for Spark has it: what is not there is not counted. */
async function countsOf(request: string, at: number): Promise<Readonly<Record<string, number>>> {
  const { counts } = await json<{ counts: Counts }>(pathOf(request, '.parquet', `snapshot=${at}&explain=counts`))
  const filtered = Object.entries(counts.filtered).map(([why, n]) => [`filter:${why}`, n] as const)
  const all = [['', counts.rows] as const, ...filtered, ...Object.entries(counts.left_out)]
  return Object.fromEntries(all.filter(([, n]) => n > 0))
}

describe('a dataset as Spark SQL', () => {
  it('has the rows of the Parquet dataset, in their order, and its counts', { timeout: 900_000 }, async () => {
    const old = inject('readers').snapshots[0] ?? 1
    const requests = [...REQUESTS, 'trajectories?limit=3']
    const cases = [...(await ofSpark(REQUESTS, snapshot)), ...(await ofSpark(['trajectories?limit=3'], old))]
    const jars = await sparkJars()
    const { counts } = await readWith<{ counts: Readonly<Record<string, number>>[] }>(
      'read-spark-sql.py',
      { jars, blobs: join(world.dataDir, 'blobs'), cases },
      await sparkPython(),
      800_000,
    )
    const pairs = cases.map(({ url, output }) => [url.replace(/^http:\/\/[^/]+/, world.url), `${output}/*.parquet`])
    const { answers } = await readWith<{ answers: Compared[] }>('compare-parquet.py', { pairs })
    const found = answers.map(({ columns, rows, first_difference }, index) => ({
      request: requests[index],
      first_difference,
      rows: rows[1],
      columns: columns[1],
      counts: counts[index],
    }))
    const wanted = answers.map(async ({ columns, rows }, index) => ({
      request: requests[index],
      first_difference: null,
      rows: rows[0],
      columns: columns[0],
      counts: await countsOf(requests[index] ?? '', index < REQUESTS.length ? snapshot : old),
    }))
    expect(found).toEqual(await Promise.all(wanted))
    // That everything is equal says nothing of a request that gives nothing.
    const empty = found.filter(({ rows }) => rows === 0).map(({ request }) => request)
    expect(empty).toEqual(['trajectories?item=no-such-item'])
  })

  it('is made by the job for a cluster', { timeout: 600_000 }, async () => {
    const jars = await sparkJars()
    const output = join(folder, 'job')
    const request = `sft.parquet?run=${played}&snapshot=${snapshot}`
    const settings = {
      'spark.ui.enabled': 'false',
      // Of a few rows: what a cluster needs takes longer than to run.
      'spark.sql.shuffle.partitions': '1',
      'spark.databricks.delta.snapshotPartitions': '1',
      'spark.sql.codegen.wholeStage': 'false',
      'spark.sql.codegen.factoryMode': 'NO_CODEGEN',
    }
    const confs = Object.entries(settings).map(([name, value]) => `--conf ${name}=${value}`)
    const wrote = await runPython(
      await sparkPython(),
      [
        join(dirname(dirname(import.meta.dirname)), 'infra', 'spark', 'dataset.py'),
        '--url',
        `${world.url}/v1/datasets/${request}`,
        '--blobs',
        join(world.dataDir, 'blobs'),
        '--output',
        output,
      ],
      '',
      {
        timeoutMs: 550_000,
        env: {
          SPARK_LOCAL_IP: '127.0.0.1',
          SPARK_LOCAL_DIRS: folder,
          PYSPARK_SUBMIT_ARGS: ['--master local[1]', `--jars ${jars}/*`, ...confs, 'pyspark-shell'].join(' '),
          no_proxy: '127.0.0.1',
        },
      },
    )
    const report = JSON.parse(wrote.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>
    const { counts } = await json<{ counts: Counts }>(`/v1/datasets/${request}&explain=counts`)
    expect(report).toMatchObject({ snapshot, output, rows: counts.rows, trajectories: counts.rows })
    const url = `${world.url}/v1/datasets/${request}`
    const { answers } = await readWith<{ answers: Compared[] }>('compare-parquet.py', {
      pairs: [[url, `${output}/*.parquet`]],
    })
    expect(answers[0]).toMatchObject({ rows: [counts.rows, counts.rows], first_difference: null })
  })

  it.each([
    ['grpo', 'recipe'],
    ['items', 'recipe'],
    ['sft?shape=sharegpt', 'shape'],
    ['sft?format=jsonl', 'format'],
    ['sft?images=bytes', 'images'],
    ['steps?include=unfinished', 'include'],
    ['steps?dedupe=content', 'dedupe'],
    ['steps?balance=tool', 'balance'],
    ['steps?leaks=drop', 'leaks'],
    ['steps?since=0:0', 'since'],
    ['steps?run=a&lineage=true', 'lineage'],
    ['steps?mix=1:correct%3Dtrue', 'mix'],
    ['steps?run=a&policy_version=1&item_pass_rate_gte=0.5', 'item_pass_rate'],
  ])('refuses %s and names %s', async (request, parameter) => {
    const answer = await fetch(`${world.url}${pathOf(request, '/spark', '')}`)
    const problem = (await answer.json()) as { code: string; parameter: string; hint: string }
    expect([answer.status, problem.code, problem.parameter]).toEqual([400, 'invalid_parameter', parameter])
    expect(problem.hint).not.toBe('')
  })

  it('refuses a parameter that it does not know', async () => {
    const answer = await fetch(`${world.url}/v1/datasets/steps/spark?explain=counts`)
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([400, 'unknown_parameter'])
  })
})
