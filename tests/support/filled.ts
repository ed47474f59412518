/** A data folder with rollouts, several cuts and built datasets, and everything that the API says about it. */
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { LAKE_TABLE_NAMES } from '#schemas/lake.ts'
import { random as randomOf } from '#services/gym/random.ts'
import { startServer, type World } from './server-process.ts'
import { allRows, getJson } from './traffic-check.ts'
import { Traffic } from './traffic.ts'

export const RUN = 'filled'

/** A dataset that was pinned and built. */
export interface Pinned {
  /** The path and query of its pinned URL. */
  readonly path: string
  readonly sha256: string
  readonly rows: number
}

export interface FillOptions {
  readonly rollouts: number
  readonly cuts: number
  readonly seed: number
  readonly textChars?: number
}

/** Sends rollouts in as many parts as there are cuts, waits for each cut, and pins two datasets of each snapshot. The server must run. */
export async function fill(world: World, options: FillOptions): Promise<{ traffic: Traffic; pinned: Pinned[] }> {
  const traffic = new Traffic({ url: world.url, seed: options.seed, runId: RUN })
  const random = randomOf(options.seed, 'fill')
  const signal = AbortSignal.timeout(120_000)
  const pinned: Pinned[] = []
  for (let cut = 0; cut < options.cuts; cut++) {
    const { imageId, sending } = traffic.image(random)
    await traffic.send(sending, signal)
    const made = Array.from({ length: Math.ceil(options.rollouts / options.cuts) }, () =>
      traffic.rollout(random, {
        imageIds: [imageId],
        ...(options.textChars === undefined ? {} : { textChars: options.textChars }),
      }),
    )
    for (let from = 0; from < made.length; from += 50) {
      await traffic.send(traffic.lines(made.slice(from, from + 50).flatMap(({ events }) => events)), signal)
    }
    // Sent again, finished again: so that files of earlier cuts are not the only ones with something to tell.
    await traffic.send(traffic.single(made[0]?.events[1] ?? { trajectoryId: '', bytes: Buffer.alloc(0) }), signal)
    await getJson(world, '/v1/snapshots?after=latest&wait=60')
    pinned.push(await pin(world, 'sft.jsonl', 'correct=true'), await pin(world, 'trajectories.parquet', `run=${RUN}`))
  }
  expect(traffic.refused).toEqual([])
  return { traffic, pinned }
}

/** Pins a dataset to the newest snapshot, and builds it. */
export async function pin(world: World, name: string, filter: string): Promise<Pinned> {
  for (;;) {
    const answer = await fetch(`${world.url}/v1/datasets/${name}/pin?${filter}&after=latest&wait=60`)
    const body = (await answer.json()) as { url: string; sha256: string; rows: number }
    if (answer.status === 202) continue
    expect(answer.status, JSON.stringify(body)).toBe(200)
    const { pathname, search } = new URL(body.url)
    return { path: `${pathname}${search}`, sha256: body.sha256, rows: body.rows }
  }
}

/** Reads a dataset and says what its bytes hash to. */
export async function bytesOf(world: World, path: string): Promise<{ status: number; sha256: string }> {
  const answer = await fetch(`${world.url}${path}`)
  return {
    status: answer.status,
    sha256: createHash('sha256')
      .update(await answer.bytes())
      .digest('hex'),
  }
}

/** Everything that the API says about rows; equal for equal rows. */
export async function dumpRows(world: World): Promise<Record<string, unknown>> {
  const dump: Record<string, unknown> = {}
  const { log_end_offsets, log_id } = await getJson(world, '/v1/position?after=latest&wait=60')
  dump['position'] = { log_end_offsets, log_id }
  for (const list of ['runs', 'trajectories', 'groups', 'items', 'quarantine?state=all', 'gaps?idle_ms=1000000000000'])
    dump[list] = await allRows(world, `/v1/${list}`)
  dump['run'] = await getJson(world, `/v1/runs/${RUN}`)
  dump['verdicts'] = await getJson(world, '/v1/verdicts')
  dump['pass-at-k'] = await getJson(world, `/v1/analytics/pass-at-k?run=${RUN}`)
  dump['analytics'] = await getJson(world, `/v1/analytics/groups?run=${RUN}`)
  const ids = (dump['trajectories'] as { trajectory_id: string }[]).map(({ trajectory_id }) => trajectory_id)
  for (const id of ids.filter((_, index) => index % 20 === 0))
    dump[id] = await getJson(world, `/v1/trajectories/${encodeURIComponent(id)}`)
  return dump
}

/** Every snapshot and every file of the lake, as the API lists them. */
export async function dumpLake(world: World): Promise<Record<string, unknown>> {
  const snapshots = await allRows(world, '/v1/snapshots')
  const dump: Record<string, unknown> = { snapshots }
  for (const { snapshot_id } of snapshots) {
    for (const table of LAKE_TABLE_NAMES)
      dump[`${table} at ${String(snapshot_id)}`] = await allRows(
        world,
        `/v1/lake/${table}/files?snapshot=${String(snapshot_id)}`,
      )
  }
  return dump
}

/** Starts a server, does `work`, and stops it well. */
export async function during<Result>(
  world: World,
  work: (server: ReturnType<typeof startServer>) => Promise<Result>,
): Promise<Result> {
  const server = startServer(world)
  await server.ready()
  const result = await work(server)
  const how = await server.sigterm()
  expect(how, server.said()).toMatchObject({ code: 0 })
  return result
}
