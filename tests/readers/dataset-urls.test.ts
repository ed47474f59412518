/** The clients that people read datasets with, at their current versions, on real URLs: all of them get the same rows. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, inject, it } from 'vitest'
import { packagesOf } from '#tests/support/node-packages.ts'
import { get, readWith, withToken } from './reader.ts'
import type { Served } from './world.ts'

const { open, keyed, runs, formats, snapshots } = inject('readers')

interface Case {
  readonly url: string
  readonly key: string | null
  readonly token_url: string
  readonly format: string
  readonly has_extension: boolean
  /** What it selects; all recipes and formats of one query have the same rows. */
  readonly query: string
}

type Rows = readonly (readonly [trajectoryId: string, reward: number | null])[]

interface Answers {
  readonly answers: readonly { readonly way: string; readonly case: number; readonly rows: Rows }[]
}

/** Spaces, commas, repeats, comparisons: what clients decode, encode again or split. */
const played = `run=${encodeURIComponent(runs.played)}&policy_version=0&policy_version=1&reward_gte=-0.5&status=completed&status=truncated`

const casesOf = (served: Served, query: string, format: string, paths: readonly string[]): Case[] =>
  paths.map((path) => ({
    url: `${served.url}${path}`,
    key: served.key ?? null,
    token_url: withToken(served, path),
    format,
    has_extension: path.includes(`.${format}?`),
    query,
  }))

/** For each server and format: recipes with and without the extension, pinned and not; real conversations too. */
const cases: readonly Case[] = [open, keyed].flatMap((served) => [
  ...formats.flatMap((format) =>
    casesOf(served, played, format, [
      `/v1/datasets/trajectories.${format}?${played}`,
      `/v1/datasets/trajectories?format=${format}&${played}&snapshot=${snapshots.at(-1)}`,
      `/v1/datasets/sft.${format}?${played}`,
    ]),
  ),
  ...(runs.real === undefined
    ? []
    : ['parquet', 'jsonl'].flatMap((format) =>
        casesOf(served, `run=${runs.real}`, format, [
          `/v1/datasets/sft.${format}?run=${runs.real}&snapshot=${snapshots.at(-1)}`,
        ]),
      )),
])

const expectations = new Map<string, Promise<Rows>>()

/** The rows of a query, from the lines that we read ourselves. */
function expected(query: string): Promise<Rows> {
  const known = expectations.get(query) ?? rowsOf(query)
  expectations.set(query, known)
  return known
}

async function rowsOf(query: string): Promise<Rows> {
  const text = await (await get(open, `/v1/datasets/trajectories.jsonl?${query}`)).text()
  const rows = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { trajectory_id: string; reward: number | null })
  if (rows.length < 20) throw new Error(`${query} has ${rows.length} rows only`)
  return rows.map(({ trajectory_id, reward }) => [trajectory_id, reward] as const).sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Holds every answer to the rows of its case. */
async function check(
  answers: Answers['answers'],
  asked: readonly { readonly url: string; readonly query: string }[],
): Promise<void> {
  for (const { way, case: index, rows } of answers) {
    const { url, query } = asked[index] ?? { url: '', query: '' }
    expect([way, url, rows]).toEqual([way, url, await expected(query)])
  }
}

describe.each([
  ['pandas', 'read-pandas.py'],
  ['pyarrow', 'read-pyarrow.py'],
  ['Polars', 'read-polars.py'],
  ['DuckDB', 'read-duckdb.py'],
  ['Hugging Face datasets', 'read-datasets.py'],
  ['ClickHouse', 'read-clickhouse.py'],
])('%s', (_, script) => {
  it('reads every URL: queries, with and without extension, with a key in a header or in the URL', async () => {
    const { answers } = await readWith<Answers>(script, { cases })
    const read = new Set(answers.map((answer) => cases[answer.case]?.format))
    expect(read.size).toBeGreaterThanOrEqual(2)
    expect(new Set(answers.map((answer) => answer.case)).size).toBe(
      cases.filter(({ format }) => read.has(format)).length,
    )
    await check(answers, cases)
  })
})

async function withHyparquet(input: unknown): Promise<Answers> {
  const packages = await packagesOf(join(import.meta.dirname, 'node', 'package.json'))
  const running = promisify(execFile)(
    process.execPath,
    [join(import.meta.dirname, 'node', 'read-hyparquet.js'), packages],
    {
      maxBuffer: 64 * 1024 * 1024,
    },
  )
  running.child.stdin?.end(JSON.stringify(input))
  return JSON.parse((await running).stdout) as Answers
}

describe('hyparquet', () => {
  it('reads every URL of Parquet, with a key in a header or in the URL', async () => {
    const parquet = cases.filter(({ format }) => format === 'parquet')
    const { answers } = await withHyparquet({ cases: parquet })
    expect(answers.length).toBe(2 * parquet.length)
    await check(answers, parquet)
  })
})

describe('WebDataset', () => {
  it('reads the tar archive: a row and its images in each sample, with a key in a header or in the URL', async () => {
    const rows = await expected(played)
    const tars = [open, keyed].map((served) => {
      const path = `/v1/datasets/sft.tar?${played}&images=bytes`
      return { url: `${served.url}${path}`, key: served.key ?? null, token_url: withToken(served, path), query: played }
    })
    const { answers } = await readWith<{ answers: (Answers['answers'][number] & { images: number[][] })[] }>(
      'read-webdataset.py',
      { cases: tars },
    )
    expect(answers.length).toBe(2 * tars.length)
    await check(answers, tars)
    for (const { images } of answers) {
      expect(images.length).toBeGreaterThanOrEqual(rows.length)
      expect(images.every(([width = 0, height = 0]) => width > 0 && height > 0)).toBe(true)
    }
  })
})
