/**
 * What all reader tests read: real rollouts of tau-bench where the file is there, and a played run with pictures, in a
 * lake of several snapshots, served twice: to everybody, and to those who bear a key. Made once for the whole run.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { playRun } from '#services/gym/run/demo.ts'
import { cleanUp, copyOf, newWorld, runCommand, startServer, type World } from '#tests/support/server-process.ts'
import { pythonWith } from '#tests/support/python.ts'

/** A served lake, as tests see it. */
export interface Served {
  /** The base of its URLs, without a slash at the end. */
  readonly url: string
  /** What requests must bear; undefined where nothing is asked for. */
  readonly key: string | undefined
}

export interface Readers {
  readonly open: Served
  readonly keyed: Served
  /** The same data folder as both began with, of a server that was stopped: for tests that start one of their own. */
  readonly dataDir: string
  /** Where the open server has the tables of its lake: for readers of Delta, which want a file system. */
  readonly lakeDir: string
  readonly runs: {
    /** A run with pictures. */
    readonly played: string
    /** Real conversations; undefined where tau-bench's file is not on this machine. */
    readonly real: string | undefined
  }
  /** Snapshots, oldest first. After the second one scores came late; they are in the last. */
  readonly snapshots: readonly number[]
  /** Formats of datasets that the server knows and that a table can be read from. */
  readonly formats: readonly string[]
  /** Python interpreters, by what they are for. */
  readonly python: { readonly current: string; readonly duckdb14: string }
}

declare module 'vitest' {
  interface ProvidedContext {
    readers: Readers
  }
}

const ROOT = dirname(dirname(import.meta.dirname))
/** TAU_BENCH names the file; else it lies in a folder beside this repository. */
const TAU_BENCH = process.env['TAU_BENCH'] ?? join(dirname(ROOT), 'shared/data/tau-bench/gpt-4o-airline-15-tasks.json')
const PLAYED = 'seven families, v1'
const PLAY = { seed: 7, run_id: PLAYED, items: 7, group_size: 4, policy_versions: [0, 1] }
const KEY = 'a-key/with+odd=signs'
/** Trajectories of the played run that are scored again, late. */
const SCORED_LATE = 5

/** Called by vitest before all tests of this folder. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  try {
    const requirements = (name: string): Promise<string> => pythonWith(join(import.meta.dirname, name))
    const [current, duckdb14] = [
      await requirements('requirements.txt'),
      await requirements('requirements-duckdb-1.4.txt'),
    ]
    const filled = await newWorld()
    const { snapshots, real } = await fill(reachable(filled))
    const open = reachable(await copyOf(filled))
    const keyed = reachable(await copyOf(filled), { STEPSTORE_KEY: KEY })
    for (const world of [open, keyed]) await startServer(world).ready()
    project.provide('readers', {
      open: { url: open.url, key: undefined },
      keyed: { url: keyed.url, key: KEY },
      dataDir: filled.dataDir,
      lakeDir: join(open.dataDir, 'blobs', 'lake'),
      runs: { played: PLAYED, real },
      snapshots,
      formats: await formatsOf(open),
      python: { current, duckdb14 },
    })
  } catch (error) {
    await cleanUp()
    throw error
  }
  return cleanUp
}

/** A world whose server hands out URLs that lead to it. */
function reachable(world: World, env: Readonly<Record<string, string>> = {}): World {
  return { ...world, env: { ...world.env, ...env, STEPSTORE_PUBLIC_URL: world.url } }
}

async function fill(world: World): Promise<{ snapshots: number[]; real: string | undefined }> {
  const server = startServer(world)
  await server.ready()
  const snapshots: number[] = []
  const cut = async (): Promise<void> => {
    const answer = await sent(`${world.url}/v1/snapshots?limit=1&after=latest&wait=60`)
    const { rows } = (await answer.json()) as { rows: { snapshot_id: number }[] }
    const id = rows[0]?.snapshot_id
    if (id === undefined) throw new Error(`there is no snapshot: ${answer.status}`)
    snapshots.push(id)
  }
  const real = existsSync(TAU_BENCH) ? await importReal(world) : undefined
  if (real !== undefined) await cut()
  const trajectories = await play(world)
  await cut()
  await post(world, trajectories.slice(0, SCORED_LATE).map(scoredLate))
  await cut()
  const { code } = await server.sigterm()
  if (code !== 0) throw new Error(`the server did not stop well: ${server.said()}`)
  return { snapshots, real }
}

async function formatsOf(world: World): Promise<string[]> {
  const { formats } = (await (await fetch(`${world.url}/v1/datasets`)).json()) as { formats: { name: string }[] }
  return formats.map(({ name }) => name).filter((name) => name !== 'tar')
}

async function importReal(world: World): Promise<string> {
  const run = 'tau-bench'
  const { code, stderr } = await runCommand(world, ['import', 'tau-bench', TAU_BENCH, '--run', run])
  if (code !== 0) throw new Error(`the import failed: ${stderr}`)
  return run
}

async function play(world: World): Promise<string[]> {
  const trajectories: string[] = []
  for await (const { events, images } of playRun(PLAY)) {
    for (const { bytes } of images) {
      const name = createHash('sha256').update(bytes).digest('hex')
      await sent(`${world.url}/v1/images/${name}`, {
        method: 'PUT',
        headers: { 'content-type': 'image/png' },
        body: Buffer.from(bytes),
      })
    }
    await post(world, events)
    for (const { type, data } of events)
      if (type === 'trajectory.started') trajectories.push(String(data['trajectory_id']))
  }
  return trajectories
}

function scoredLate(trajectoryId: string): Record<string, unknown> {
  return {
    specversion: '1.0',
    id: `late ${trajectoryId}`,
    source: '/tests/readers',
    type: 'trajectory.scored',
    data: { trajectory_id: trajectoryId, run_id: PLAYED, reward_version: 'late', reward: 0.25 },
  }
}

async function post(world: World, events: readonly unknown[]): Promise<void> {
  const answer = await sent(`${world.url}/v1/events?strict=true`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: events.map((event) => `${JSON.stringify(event)}\n`).join(''),
  })
  await answer.body?.cancel()
}

async function sent(url: string, request: RequestInit = {}): Promise<Response> {
  const answer = await fetch(url, request)
  if (!answer.ok) throw new Error(`${request.method} ${url} answered ${answer.status}: ${await answer.text()}`)
  return answer
}
