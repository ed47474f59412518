/** From the first request until everything is visible in store and lake; then one trajectory, and what the lake weighs. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parsePosition } from '#services/position.ts'
import { batches, type Scale } from './ingest.ts'
import { duckdbBytes } from './lake-bytes.ts'
import { baseline, cpuSeconds, send, startServer, watchMemory, withFolder } from './processes.ts'
import { getOk, get } from './reads.ts'
import { type Figure, median, quantile, say, short } from './report.ts'
import { trajectoryId, type Workload, writeWorkload } from './workload.ts'

const READS = 200
const GIB = 1024 ** 3
const LOOK_MS = 250
/** The sender tells of so many events, and goes on at once. */
const HOLD_EVENTS = 20_000

/** Everything acknowledged so far is visible in the store and in a published snapshot. */
async function visible(port: number): Promise<void> {
  await Promise.all([getOk(port, '/v1/runs?after=latest&wait=60'), getOk(port, '/v1/snapshots?after=latest&wait=60')])
}

/** How many records the newest snapshot holds. */
async function archived(port: number): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/snapshots?limit=1`)
  const { rows } = (await answer.json()) as { rows: readonly { position: string }[] }
  const [newest] = rows
  if (newest === undefined) return 0
  return [...parsePosition(newest.position).offsets.values()].reduce((sum, offset) => sum + offset, 0)
}

/** Sends everything as fast as it is taken. Gives the seconds after which each tenth was in a published snapshot, the last when all is visible. */
async function through(port: number, { path, events }: Workload): Promise<number[]> {
  const startedMs = performance.now()
  const seconds: number[] = []
  const order = batches(port, path)
  let isDone = false
  const watching = (async (): Promise<void> => {
    while (!isDone) {
      await sleep(LOOK_MS)
      const share = (await archived(port)) / events
      while (seconds.length < Math.min(9, Math.floor(share * 10))) seconds.push((performance.now() - startedMs) / 1000)
    }
  })()
  // The sender reads on as it sends: a million steps do not fit into its memory.
  await send({ ...order, holdEvery: HOLD_EVENTS })
  await visible(port)
  isDone = true
  await watching
  const all = (performance.now() - startedMs) / 1000
  while (seconds.length < 10) seconds.push(all)
  return seconds
}

async function readTrajectories(port: number, trajectories: number): Promise<number[]> {
  const took: number[] = []
  for (let n = 0; n < READS; n++) {
    const id = trajectoryId('bench', Math.floor(((n * 0.618_033_988_749) % 1) * trajectories))
    const startedMs = performance.now()
    const { status } = await get(port, `/v1/trajectories/${encodeURIComponent(id)}`)
    took.push(performance.now() - startedMs)
    if (status !== 200) throw new Error(`trajectory ${id} answered ${status}`)
  }
  return took.toSorted((left, right) => left - right)
}

/** What the files of a table weigh in the newest snapshot; files that were merged away lie beside them for a while. */
async function lakeBytes(port: number, table: string): Promise<number> {
  let bytes = 0
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const answer = await fetch(`http://127.0.0.1:${port}/v1/lake/${table}/files?limit=100${page}`)
    const { rows, next } = (await answer.json()) as { rows: readonly { bytes: number }[]; next: string | null }
    for (const row of rows) bytes += row.bytes
    cursor = next
  }
  return bytes
}

interface Pass {
  /** Processor µs an event. */
  readonly cpu: number
  readonly rate: number
  readonly slope: number
  readonly memory: { readonly all: number; readonly own: number }
  readonly reads: readonly number[]
  readonly lakeBytes: number
}

/** A pass, and what one thread that only parses makes of it. */
interface Round extends Pass {
  readonly cost: number
  readonly ratio: number
}

async function round(work: Workload): Promise<Round> {
  const before = await baseline(work.path)
  const taken = await pass(work)
  const after = await baseline(work.path)
  // A shared machine is faster in one minute than in the next, so one thread parses before and behind it.
  const [rate, cpu] = [(before.rate + after.rate) / 2, (before.cpu + after.cpu) / 2]
  say(`  baseline ${short(before.rate)} and ${short(after.rate)}/s, ${short(before.cpu)} and ${short(after.cpu)} µs`)
  return { ...taken, cost: taken.cpu / cpu, ratio: taken.rate / rate }
}

/** Sends everything to a new server, and looks at what it holds then. */
async function pass(work: Workload): Promise<Pass> {
  return withFolder(async (folder) => {
    const server = await startServer('stepstore', folder)
    const memory = watchMemory(server.pid)
    const before = cpuSeconds(server.pid)
    try {
      const seconds = await through(server.port, work)
      const total = seconds.at(-1) ?? Number.NaN
      const cpu = ((cpuSeconds(server.pid) - before) / work.events) * 1e6
      const tenths = seconds.slice(0, 10).map((at, index) => work.events / 10 / (at - (seconds[index - 1] ?? 0)))
      say(
        `  ${short(work.events / total)} events/s, ${short(cpu)} µs of processor each; by tenths ${tenths.map(short).join(' ')}`,
      )
      const reads = await readTrajectories(server.port, work.trajectories)
      const held = memory.stop()
      const half = (from: number): number => median(tenths.slice(from, from + 5))
      const weight = (await lakeBytes(server.port, 'steps')) + (await lakeBytes(server.port, 'tool_calls'))
      return {
        cpu,
        rate: work.events / total,
        slope: half(5) / half(0),
        memory: held,
        reads,
        lakeBytes: weight,
      }
    } finally {
      memory.stop()
      await server.stop()
    }
  })
}

/** The whole pipeline, a read of a trajectory out of it, and the bytes of the lake. */
export async function pipelineFigures({ rounds, steps }: Scale): Promise<Figure[]> {
  return withFolder(async (folder) => {
    const work = writeWorkload(join(folder, 'events.ndjson'), 'bench', steps)
    say(`pipeline: ${work.steps} steps in ${work.events} events, ${Math.round(work.bytes / work.events)} bytes each`)
    const all: Round[] = []
    for (let n = 0; n < rounds; n++) all.push(await round(work))
    const [last] = all.slice(-1)
    const reads = all.map((one) => quantile(one.reads, 0.5))
    const duckdb = await duckdbBytes(work.path, folder)
    const memory = Math.max(...all.map((one) => one.memory.own)) / GIB
    const mapped = Math.max(...all.map((one) => one.memory.all)) / GIB
    return [
      {
        name: 'visible in store and lake / baseline',
        value: median(all.map((one) => one.ratio)),
        target: 0.08,
        aim: 0.15,
        detail: `${short(median(all.map((one) => one.rate)))} events/s over ${work.steps} steps, processor time ${short(median(all.map((one) => one.cost)))} baselines`,
      },
      {
        name: 'second half / first half',
        value: median(all.map((one) => one.slope)),
        target: 0.8,
        detail: 'the rate of a tenth into published snapshots, in the middle',
      },
      {
        name: 'memory of all processes',
        value: memory,
        target: 2.5,
        better: 'less',
        unit: ' GiB',
        detail: `${short(mapped)} GiB with mapped files, counted once for each process`,
      },
      {
        name: 'one trajectory, whole',
        value: median(reads),
        target: 25,
        aim: 10,
        better: 'less',
        unit: ' ms',
        detail: `median of ${READS}; p99 ${short(quantile(last?.reads ?? [], 0.99))} ms`,
      },
      {
        name: "lake steps + tool_calls / DuckDB's own",
        value: (last?.lakeBytes ?? 0) / duckdb,
        target: 1.4,
        better: 'less',
        detail: `${short((last?.lakeBytes ?? 0) / 1e6)} MB of ${short(duckdb / 1e6)}`,
      },
    ]
  })
}
