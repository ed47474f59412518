/**
 * Statistics, curriculum and SQL over HTTP, on runs whose rows were loaded directly: each route's first read after a
 * change and its repeated reads, at rest and while events stream into the same run; and SQL beside DuckDB alone.
 */
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { type Filled, CALLS_EACH, RUN, STEPS_EACH, fillFolder } from './filled-folder.ts'
import { batches, type Scale } from './ingest.ts'
import { cpuSeconds, type Running, send, startServer, withFolder } from './processes.ts'
import { getOk } from './reads.ts'
import { type Figure, median, quantile, say, short } from './report.ts'
import { writeWorkload } from './workload.ts'

const SIZES = [30_000, 300_000]
const LARGE = 3_000_000
/** Events of the stream. It writes to the run that is read. */
const WARM_STEPS = 20_000
const STREAM_SECONDS = 45
const REPEATS = 3
const NEXT = 1024

/** What is asked: GET of a path, or POST of a body. */
interface Asked {
  readonly name: string
  readonly path: string
  readonly body?: Readonly<Record<string, unknown>>
}

const route = (path: string): Asked => ({
  name: path,
  path: `/v1/${path}${path.includes('?') ? '&' : '?'}run=${RUN}`,
})
const next = (strategy: string): Asked => ({
  name: `next ${strategy}`,
  path: '/v1/curriculum/next',
  body: { run: RUN, n: NEXT, strategy, min_n: 1 },
})

const ASKED: readonly Asked[] = [
  ...[
    'analytics/rewards',
    'analytics/rewards?by=family',
    'analytics/rewards?train_step=5',
    'analytics/lengths',
    'analytics/groups',
    'analytics/advantages',
    'analytics/advantages?differs=true',
    'analytics/pass-at-k?k=1,2,4,8',
    'analytics/pass-at-k?k=1,2,4,8&also=best,worst,maj',
    'analytics/benchmarks',
    'analytics/counterfactual',
    'analytics/counterfactual?expression=2*correct-0.01*n_steps',
    'analytics/staleness',
    'analytics/training',
    'analytics/metrics',
    'analytics/tools',
    'analytics/tools?by=train_step',
    'analytics/errors',
    'analytics/errors/changes?from=1&to=20',
    'analytics/untrained',
    'analytics/untrained/trajectories',
    'curriculum/pass-rates',
    'curriculum/slice?min_n=1',
    'curriculum/migration?from=1&to=20',
  ].map(route),
  ...['tail_patch', 'frontier', 'uniform', 'weighted', 'dapo', 'adarft', 'balanced'].map(next),
]

const agent = new Agent({ keepAlive: true })

interface Took {
  readonly ms: number
  readonly bytes: number
}

/** Asks once and reads the whole answer. Throws where it is not 200. */
function ask(port: number, { path, body, name }: Asked): Promise<Took> {
  return new Promise((resolve, reject) => {
    const startedMs = performance.now()
    const call = request(
      {
        agent,
        host: '127.0.0.1',
        port,
        path,
        method: body === undefined ? 'GET' : 'POST',
        headers: { 'content-type': 'application/json' },
      },
      (answer) => {
        let bytes = 0
        answer.on('data', (piece: Buffer) => {
          bytes += piece.length
        })
        answer.on('error', reject)
        answer.on('end', () =>
          answer.statusCode === 200
            ? resolve({ ms: performance.now() - startedMs, bytes })
            : reject(new Error(`${name} answered ${answer.statusCode}`)),
        )
      },
    )
    call.on('error', reject)
    call.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** Everything acknowledged so far is in the store and in a snapshot. */
async function visible(port: number): Promise<void> {
  await Promise.all([getOk(port, '/v1/runs?after=latest&wait=60'), getOk(port, '/v1/snapshots?after=latest&wait=60')])
}

/** A trajectory of the run that begins and ends: a change that every statistic sees. */
async function change(port: number, number: number): Promise<void> {
  const data = { trajectory_id: `${RUN}/change/${number}`, run_id: RUN }
  const event = (type: string, more: Readonly<Record<string, unknown>>) => ({
    specversion: '1.0',
    id: `change-${number}-${type}`,
    source: '/bench/change',
    type,
    data: { ...data, ...more },
  })
  const place = {
    item_id: `item/${number}`,
    group_id: `change-${number}`,
    group_size: 1,
    policy_version: 0,
    train_step: 0,
  }
  const lines = [
    event('trajectory.started', place),
    event('trajectory.finished', {
      status: 'completed',
      end_reason: 'answer',
      n_steps: 0,
      reward: 1,
      parts: { correct: 1 },
    }),
  ]
  const answer = await fetch(`http://127.0.0.1:${port}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
  })
  if (!answer.ok) throw new Error(`a change was answered ${answer.status}`)
  await visible(port)
}

/** The reads of one question. Processor time is of the whole server, in ms. */
class Reads {
  readonly first: number[] = []
  readonly again: number[] = []
  firstCpuMs = 0
  bytes = 0
}

type AllReads = ReadonlyMap<string, Reads>

const noReads = (): AllReads => new Map(ASKED.map(({ name }) => [name, new Reads()]))

/** The questions, another one first in each round: what brings the frame up to date is paid by the one that comes first. */
const turned = (round: number): Asked[] => {
  const from = (round * 7) % ASKED.length
  return [...ASKED.slice(from), ...ASKED.slice(0, from)]
}

async function readAll(server: Running, reads: AllReads, round: number, repeats: number): Promise<void> {
  for (const asked of turned(round)) {
    const found = reads.get(asked.name)
    if (found === undefined) continue
    const before = cpuSeconds(server.pid)
    const { ms, bytes } = await ask(server.port, asked)
    found.firstCpuMs += (cpuSeconds(server.pid) - before) * 1000
    found.first.push(ms)
    found.bytes = bytes
    for (let n = 0; n < repeats; n++) found.again.push((await ask(server.port, asked)).ms)
  }
}

/** Reads all routes in rounds, each after a change. The first round, which loads the frame, is told apart. */
async function atRest(server: Running, rounds: number): Promise<AllReads> {
  await visible(server.port)
  const startedMs = performance.now()
  await readAll(server, noReads(), 0, 0)
  say(`  first of all reads, frame and calls loaded: ${short(performance.now() - startedMs)} ms`)
  const reads = noReads()
  for (let round = 0; round < rounds; round++) {
    await change(server.port, round)
    await readAll(server, reads, round, REPEATS)
  }
  return reads
}

/** Reads all routes, one after the other, while events come in at half the rate that the server can take. */
async function whileStreaming(server: Running, folder: string, rate: number): Promise<AllReads> {
  // 12 events for each trajectory of 10 steps.
  const steps = Math.ceil((rate * STREAM_SECONDS * 10) / 12)
  const work = writeWorkload(join(folder, 'stream.ndjson'), RUN, steps)
  const startedMs = performance.now()
  let ended = false
  const order = batches(server.port, work.path)
  const holdEvery = order.eventsPerRequest * order.connections
  const stream = send({ ...order, holdEvery }, async (events) => {
    const wait = (events / rate) * 1000 - (performance.now() - startedMs)
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
  }).finally(() => (ended = true))
  const reads = noReads()
  for (let round = 0; !ended; round++) await readAll(server, reads, round, 0)
  const { events } = await stream
  const seconds = (performance.now() - startedMs) / 1000
  say(`  streamed ${events} events in ${short(seconds)} s (${short(events / seconds)}/s asked for: ${short(rate)}/s)`)
  return reads
}

function tell(reads: AllReads): void {
  for (const [name, { first, again, firstCpuMs, bytes }] of reads) {
    const ascending = first.toSorted((left, right) => left - right)
    const repeated = again.toSorted((left, right) => left - right)
    const cells = [
      `first ${short(median(first))} ms, p95 ${short(quantile(ascending, 0.95))}`,
      ...(again.length === 0 ? [] : [`again ${short(median(again))} ms, p95 ${short(quantile(repeated, 0.95))}`]),
      `processor ${short(firstCpuMs / Math.max(1, first.length))} ms`,
      `${short(bytes / 1000)} kB, n ${first.length}`,
    ]
    say(`    ${name.padEnd(62)} ${cells.join('; ')}`)
  }
}

const isNext = (name: string): boolean => name.startsWith('next ')

/** The route whose median is the largest. */
function slowest(reads: AllReads, takes: (name: string) => boolean): { name: string; ms: number } {
  return [...reads]
    .filter(([name]) => takes(name))
    .map(([name, { first }]) => ({ name, ms: median(first) }))
    .reduce((most, one) => (one.ms > most.ms ? one : most))
}

const count = (total: number): string => total.toLocaleString('en-GB')

function figuresOf(total: number, rest: AllReads, streaming: AllReads | undefined): Figure[] {
  const figure = (name: string, reads: AllReads, takes: (name: string) => boolean, target: number): Figure => {
    const found = slowest(reads, takes)
    const missed = [...reads].filter(([route, { first }]) => takes(route) && median(first) > target).length
    return {
      name: `${name}, ${count(total)} trajectories`,
      value: found.ms,
      // What must be reached is said of 300,000 trajectories.
      ...(total === 300_000 ? { target } : {}),
      better: 'less',
      unit: ' ms',
      detail: `median first read of the slowest, ${found.name}; ${missed} above ${target} ms`,
    }
  }
  const isRoute = (name: string): boolean => !isNext(name)
  return [
    figure('slowest route', rest, isRoute, 150),
    figure(`next for ${NEXT} items`, rest, isNext, 100),
    ...(streaming === undefined
      ? []
      : [
          figure('slowest route while events come', streaming, isRoute, 300),
          figure('next while events come', streaming, isNext, 100),
        ]),
  ]
}

/** Each query is asked so often, here and there in turn: of five the median still moved by half. */
const SQL_ROUNDS = 16
/** Queries over all steps; the others are over tables of hundreds of thousands of rows. */
const OVER_STEPS = 2
/** Queries in SQL; `{table}` is a view of the server, and the same file to DuckDB. */
const QUERIES = [
  'select action_kind, count(*) as n, avg(completion_tokens) as mean, quantile_cont(prompt_tokens, 0.9) as p90 from {steps} group by action_kind order by action_kind',
  'select t.train_step, count(*) as n, sum(s.completion_tokens) as tokens from {steps} s join {trajectories} t using (trajectory_id) group by t.train_step order by t.train_step limit 1000',
  'select tool, count(*) as n, avg(latency_ms) as mean, quantile_cont(latency_ms, 0.95) as p95 from {tool_calls} group by tool order by tool',
  'select t.train_step, count(*) as n, avg(s.reward) as mean, stddev_samp(s.reward) as std from {trajectories} t join {scores} s using (trajectory_id) group by t.train_step order by t.train_step limit 1000',
  'select item_id, policy_version, count(*) as n, sum(response_tokens) as tokens from {trajectories} group by item_id, policy_version order by tokens desc, item_id limit 100',
]

/** Of one processor. With nothing to do a server looks around for 0.05 to 0.07. */
const IDLE_SHARE = 0.15
const IDLE_SECONDS_MAX = 60

/** Waits until a server does nothing: what changes left behind (snapshots, garbage) is no part of a query, and not of DuckDB's turn. */
async function idle(pid: number): Promise<void> {
  for (let second = 0; second < IDLE_SECONDS_MAX; second++) {
    const before = cpuSeconds(pid)
    await new Promise((resolve) => setTimeout(resolve, 1000))
    if (cpuSeconds(pid) - before < IDLE_SHARE) return
  }
  say(`  the server was not idle within ${IDLE_SECONDS_MAX} s`)
}

async function sqlFigures(server: Running, { files, snapshot }: Filled, total: number): Promise<Figure[]> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '512MB' })
  const connection = await instance.connect()
  // Files of the server never change; what it knows of their footers the other may know, too.
  await connection.run('set global parquet_metadata_cache = true')
  const ratios: number[] = []
  const added: number[] = []
  try {
    await idle(server.pid)
    for (const query of QUERIES) {
      const [ours, alone]: [number[], number[]] = [[], []]
      const sql = query.replaceAll(/\{(\w+)\}/g, '$1')
      const bare = query.replaceAll(
        /\{(\w+)\}/g,
        (_, table: string) =>
          `read_parquet([${(files.get(table) ?? []).map((file) => `'${file}'`).join(', ')}], union_by_name = true)`,
      )
      for (let round = 0; round < SQL_ROUNDS; round++) {
        const { ms } = await ask(server.port, { name: sql, path: '/v1/sql', body: { sql, snapshot } })
        const startedMs = performance.now()
        const rows = await connection.runAndReadAll(bare)
        rows.getRowObjectsJson()
        const aloneMs = performance.now() - startedMs
        // The first ones start a process and read footers.
        if (round >= 2) {
          ours.push(ms)
          alone.push(aloneMs)
        }
      }
      ratios.push(median(ours) / median(alone))
      added.push(median(ours) - median(alone))
      say(`    SQL ${short(median(ours))} ms, DuckDB alone ${short(median(alone))} ms: ${sql.slice(0, 90)}`)
    }
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
  const shorter = ratios.slice(OVER_STEPS)
  return [
    {
      name: `SQL / DuckDB alone, ${count(total * STEPS_EACH)} steps`,
      value: Math.max(...ratios.slice(0, OVER_STEPS)),
      ...(total === 300_000 ? { target: 1.3 } : {}),
      better: 'less',
      detail: `worst of ${ratios.slice(0, OVER_STEPS).map(short).join(', ')}; JSON over HTTP, same files, 2 threads and 512 MB each`,
    },
    {
      name: `what SQL adds to short queries, ${count(total)} trajectories`,
      value: Math.max(...added.slice(OVER_STEPS)),
      better: 'less',
      unit: ' ms',
      detail: `most of ${added.slice(OVER_STEPS).map(short).join(', ')} ms; ratios ${shorter.map(short).join(', ')}`,
    },
  ]
}

async function ofSize(total: number, rounds: number): Promise<Figure[]> {
  return withFolder(async (folder) => {
    const warm = writeWorkload(join(folder, 'warm.ndjson'), 'warm', WARM_STEPS)
    const first = await startServer('stepstore', folder)
    const startedMs = performance.now()
    await send(batches(first.port, warm.path))
    await visible(first.port)
    const rate = warm.events / ((performance.now() - startedMs) / 1000)
    await first.stop()
    const filledMs = performance.now()
    const filled = await fillFolder(join(folder, 'data'), total)
    say(
      `analytics: ${count(total)} trajectories of ${STEPS_EACH} steps, loaded as folded rows of the store and as files of the lake (${CALLS_EACH} tool calls each; no events, no step bodies) in ${short((performance.now() - filledMs) / 1000)} s; the server alone takes ${short(rate)} events/s until visible`,
    )
    const server = await startServer('stepstore', folder)
    try {
      const isLarge = total >= LARGE
      const rest = await atRest(server, isLarge ? 1 : rounds)
      say('  at rest, each first read after a change:')
      tell(rest)
      // Events that stream into so large a run would only show once more what they cost at a tenth of it.
      if (isLarge) return figuresOf(total, rest, undefined)
      const sql = await sqlFigures(server, filled, total)
      const streaming = await whileStreaming(server, folder, rate / 2)
      say('  while events stream into the same run at half of that rate:')
      tell(streaming)
      return [...figuresOf(total, rest, streaming), ...sql]
    } finally {
      await server.stop()
    }
  })
}

/** Statistics over HTTP at 30,000, 300,000 and with `large` 3,000,000 trajectories. */
export async function analyticsFigures({ rounds, large, quick, trajectories }: Scale): Promise<Figure[]> {
  const figures: Figure[] = []
  const sizes = trajectories ?? (quick === true ? SIZES.slice(0, 1) : large === true ? [...SIZES, LARGE] : SIZES)
  for (const total of sizes) figures.push(...(await ofSize(total, rounds * 2 + 1)))
  return figures
}
