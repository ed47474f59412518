/** The notebooks, as a researcher would run them: from the requirements beside them, against a served store. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pythonWith, runPython } from '#tests/support/python.ts'
import { type ServerProcess, type World, cleanUp, newWorld, startServer } from '#tests/support/server-process.ts'

const FOLDER = join(import.meta.dirname, '..', '..', 'notebooks')
const NOTEBOOKS = readdirSync(FOLDER).filter((name) => name.endsWith('.ipynb'))
/** The least that a drawing shows: an empty one has a handful of colours. */
const COLOURS_MIN = 100

interface Ran {
  readonly plots: readonly { readonly file: string; readonly width: number; readonly colours: number }[]
  readonly text: string
}

let world: World
let server: ServerProcess
let python: string
let folder: string
/** NOTEBOOK_PLOTS names a folder where plots stay, to be looked at. */
let plots: string

async function run(name: string): Promise<Ran> {
  const wrote = await runPython(
    python,
    [join(import.meta.dirname, 'python', 'run-notebook.py')],
    JSON.stringify({ notebook: join(FOLDER, name), plots }),
    { timeoutMs: 240_000, env: { HOME: folder, TMPDIR: folder, STEPSTORE_URL: world.url, no_proxy: '127.0.0.1' } },
  )
  return JSON.parse(wrote.trimEnd().split('\n').at(-1) ?? '') as Ran
}

async function rows(path: string): Promise<Record<string, unknown>[]> {
  const answer = await fetch(`${world.url}${path}`)
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`)
  return ((await answer.json()) as { rows: Record<string, unknown>[] }).rows
}

const digits = (value: unknown, n: number): string => Number(value).toFixed(n)

/** How many plots each has, and numbers that it must show as the API gives them. */
const SHOWN: Readonly<Record<string, { plots: number; text: () => Promise<string[]> }>> = {
  'first-look.ipynb': {
    plots: 1,
    text: async () => {
      const [first] = await rows('/v1/analytics/rewards?run=study-grpo')
      return [digits(first?.['correct_share'], 6)]
    },
  },
  'duckdb-tour.ipynb': {
    plots: 2,
    text: async () => {
      const finished = (await rows('/v1/runs?limit=100')).reduce((sum, row) => sum + Number(row['n_finished']), 0)
      return [`${finished} finished trajectories`]
    },
  },
  'grpo-health.ipynb': {
    plots: 5,
    text: async () => {
      const series = await rows('/v1/analytics/rewards?run=study-grpo')
      return [series[0], series.at(-1)].map((row) => digits(row?.['correct_share'], 3))
    },
  },
  'curriculum.ipynb': {
    plots: 3,
    text: async () => {
      const slice = await rows('/v1/curriculum/slice?run=study-grpo&pass_lo=1/8&pass_hi=3/8&min_n=4')
      return slice.slice(0, 3).map((row) => `${String(row['n_pass'])} of 8 right, within 1/8 and 3/8`)
    },
  },
  'paper-figures.ipynb': {
    plots: 6,
    text: async () => {
      const bench = await rows('/v1/analytics/benchmarks?run=study-eval%2FSFT%20%2B%20GRPO')
      return bench.filter(({ dataset }) => dataset === 'All').map((row) => digits(100 * Number(row['accuracy']), 1))
    },
  },
}

beforeAll(async () => {
  python = await pythonWith(join(FOLDER, 'requirements.txt'))
  folder = mkdtempSync(join(tmpdir(), 'stepstore-notebooks-'))
  plots = process.env['NOTEBOOK_PLOTS'] ?? folder
  mkdirSync(plots, { recursive: true })
  const place = await newWorld()
  world = { ...place, env: { ...place.env, STEPSTORE_PUBLIC_URL: place.url } }
  server = startServer(world)
  await server.ready()
  await runPython(python, [join(FOLDER, 'generated-study.py')], '', {
    timeoutMs: 120_000,
    env: { STEPSTORE_URL: world.url, no_proxy: '127.0.0.1' },
  })
})

afterAll(async () => {
  await server.sigterm()
  await cleanUp(world)
  rmSync(folder, { recursive: true, force: true })
})

describe('the notebooks', () => {
  it('are all tried here', () => {
    expect(NOTEBOOKS.toSorted()).toEqual(Object.keys(SHOWN).toSorted())
  })

  it.each(NOTEBOOKS)('%s is kept without outputs and takes nothing but STEPSTORE_URL', (name) => {
    const text = readFileSync(join(FOLDER, name), 'utf8')
    const { cells } = JSON.parse(text) as { cells: Record<string, unknown>[] }
    for (const cell of cells.filter(({ cell_type: type }) => type === 'code'))
      expect([cell['outputs'], cell['execution_count']]).toEqual([[], null])
    expect(text.match(/os\.environ.{0,30}/g)).toEqual([expect.stringContaining("os.environ.get('STEPSTORE_URL'")])
  })

  it.each(NOTEBOOKS)(
    '%s runs, draws its plots and shows what the API says',
    async (name) => {
      const shown = SHOWN[name]
      const ran = await run(name)
      expect(ran.plots).toHaveLength(shown?.plots ?? 0)
      for (const { file, width, colours } of ran.plots)
        expect([file, width > 400, colours > COLOURS_MIN]).toEqual([file, true, true])
      const expected = (await shown?.text()) ?? []
      expect(expected).not.toEqual([])
      for (const text of expected) expect(ran.text).toContain(text)
    },
    300_000,
  )
})
