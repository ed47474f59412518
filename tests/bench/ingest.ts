/** How fast events are taken: in batches, and one at a time beside a server that does only what it must. */
import { join } from 'node:path'
import { baseline, cpuSeconds, send, withFolder, withServer, type Running, type ServerKind } from './processes.ts'
import { type Figure, median, quantile, say, short } from './report.ts'
import type { SendOrder, Sent } from './sender.ts'
import { writeWorkload } from './workload.ts'
import { getOk } from './reads.ts'

export interface Scale {
  readonly rounds: number
  /** Steps of the pipeline; the other parts take what they need of them. */
  readonly steps: number
  /** Also what takes an hour; only what takes a minute. */
  readonly large?: boolean
  readonly quick?: boolean
  /** How large the runs are that statistics are over; otherwise those of which a figure is promised. */
  readonly trajectories?: readonly number[]
}

const LINES = 'application/x-ndjson'
const SINGLE = 'application/cloudevents+json'
const BATCH_EVENTS = 200
const BATCH_CONNECTIONS = 4
const SINGLE_CONNECTIONS = 64

export function batches(port: number, file: string): SendOrder {
  return {
    port,
    file,
    path: '',
    target: '/v1/events',
    connections: BATCH_CONNECTIONS,
    eventsPerRequest: BATCH_EVENTS,
    contentType: LINES,
  }
}

const singles = (port: number, file: string): SendOrder => ({
  ...batches(port, file),
  connections: SINGLE_CONNECTIONS,
  eventsPerRequest: 1,
  contentType: SINGLE,
})

const rate = ({ events, ms }: Sent): number => (events / ms) * 1000

/** Batches of 200 over HTTP, by a process of ingest alone, and with project and archive at work on the same two cores. */
export async function batchFigures({ rounds, steps }: Scale): Promise<Figure[]> {
  return withFolder(async (folder) => {
    const { path, events, bytes } = writeWorkload(join(folder, 'events.ndjson'), 'bench', Math.min(steps, 60_000))
    say(
      `ingest: ${events} events of ${Math.round(bytes / events)} bytes in batches of ${BATCH_EVENTS}, ${BATCH_CONNECTIONS} connections`,
    )
    const measured: { alone: number; among: number; parse: number; sent: number; cost: number }[] = []
    for (let round = 0; round < rounds; round++) {
      const { rate: parse, cpu: parseCpu } = await baseline(path)
      const taken = (kind: ServerKind): Promise<{ readonly rate: number; readonly cpu: number }> =>
        withServer(kind, async ({ port, pid }) => {
          const before = cpuSeconds(pid)
          const sent = await send(batches(port, path))
          return { rate: rate(sent), cpu: ((cpuSeconds(pid) - before) / events) * 1e6 }
        })
      const among = await taken('stepstore')
      const alone = await taken('ingest')
      measured.push({
        alone: alone.rate / parse,
        among: among.rate / parse,
        parse,
        sent: alone.rate,
        cost: alone.cpu / parseCpu,
      })
      say(
        `  baseline ${short(parse)}/s, ${short(parseCpu)} µs; ingest ${short(alone.rate)}/s, ${short(alone.cpu)} µs of processor each; beside project and archive ${short(among.rate)}/s`,
      )
    }
    const of = (name: 'alone' | 'among' | 'sent' | 'parse' | 'cost'): number => median(measured.map((one) => one[name]))
    return [
      {
        name: 'ingest, batches of 200 / baseline',
        value: of('alone'),
        target: 0.25,
        aim: 0.4,
        detail: `${short(of('sent'))} events/s of ${short(of('parse'))}; processor time ${short(of('cost'))} baselines`,
      },
      { name: 'the same beside project and archive', value: of('among'), detail: 'the whole server on the same cores' },
    ]
  })
}

/** Asks for one dataset after the other until told to stop; each has a filter of its own, so that each is built. */
function buildDatasets(port: number): { stop(): Promise<number> } {
  let going = true
  let built = 0
  const run = async (): Promise<void> => {
    for (let n = 0; going; n++) {
      await getOk(port, `/v1/datasets/trajectories.parquet?run=bench&reward_gte=${n / 1e5}`)
      built += 1
    }
  }
  const running = run()
  running.catch(() => {})
  return {
    stop: async () => {
      going = false
      await running
      return built
    },
  }
}

async function singlesBeside(
  server: Running,
  file: string,
  preload: string,
): Promise<{ idle: Sent; busy: Sent; built: number }> {
  await send(batches(server.port, preload))
  await getOk(server.port, '/v1/snapshots?after=latest&wait=60')
  const idle = await send(singles(server.port, file))
  await getOk(server.port, '/v1/snapshots?after=latest&wait=60')
  const datasets = buildDatasets(server.port)
  const again = await send(singles(server.port, `${file}.more`))
  return { idle, busy: again, built: await datasets.stop() }
}

/** One event a request over 64 connections, idle and while datasets are built, against the bare server. */
export async function singleFigures({ rounds, steps }: Scale): Promise<Figure[]> {
  return withFolder(async (folder) => {
    const file = join(folder, 'events.ndjson')
    const { events } = writeWorkload(file, 'single', Math.min(steps, 20_000))
    writeWorkload(`${file}.more`, 'more', Math.min(steps, 20_000))
    const preload = writeWorkload(join(folder, 'preload.ndjson'), 'bench', Math.min(steps, 60_000))
    say(`singles: ${events} events, one a request, ${SINGLE_CONNECTIONS} connections`)
    const measured: { idle: number; busy: number; p99: number; late: number; built: number; bare: number }[] = []
    for (let round = 0; round < rounds; round++) {
      const bare = rate(await withServer('bare', ({ port }) => send(singles(port, file))))
      const { idle, busy, built } = await withServer('stepstore', (server) => singlesBeside(server, file, preload.path))
      const [idleP99, busyP99] = [quantile(idle.latencies, 0.99), quantile(busy.latencies, 0.99)]
      measured.push({
        idle: rate(idle) / bare,
        busy: rate(busy) / bare,
        p99: busyP99 / idleP99,
        late: busyP99,
        built,
        bare,
      })
      say(
        `  bare ${short(bare)}/s; ours ${short(rate(idle))}/s, p99 ${short(idleP99)} ms; while ${built} datasets were built ${short(rate(busy))}/s, p99 ${short(busyP99)} ms`,
      )
    }
    const of = (name: 'idle' | 'busy' | 'p99' | 'late' | 'built' | 'bare'): number =>
      median(measured.map((one) => one[name]))
    return [
      {
        name: 'one event a request / bare Hono + LMDB',
        value: of('idle'),
        target: 0.3,
        detail: `the bare server takes ${short(of('bare'))} events/s`,
      },
      {
        name: 'the same while datasets are built',
        value: of('busy'),
        target: 0.3,
        detail: `${of('built')} datasets built meanwhile`,
      },
      {
        name: 'p99 acknowledgement then / idle',
        value: of('p99'),
        target: 5,
        better: 'less',
        detail: `${short(of('late'))} ms while datasets are built`,
      },
    ]
  })
}
