/**
 * The same on real Kafka, Postgres and S3, each program a process of its own: ingest beside bare producers, project beside
 * bare upserts of the same rows, archive beside DuckDB alone, and how long an event takes to be in a list at half load.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { bareUpsert } from './bare-upsert.ts'
import { duckdbLake } from './duckdb-lake.ts'
import { batches, type Scale } from './ingest.ts'
import { newDatabase, type Place, place, type Program, program, type World, withStack } from './kafka-world.ts'
import { cpuSeconds, send } from './processes.ts'
import { getOk } from './reads.ts'
import { type Figure, median, quantile, say, short } from './report.ts'
import { parts, type Workload, writeWorkload } from './workload.ts'

/** Project goes ahead of archive by 64 MiB at most, and here it runs alone first. */
const STEPS_MAX = 24_000
const BATCH_EVENTS = 200
const CONNECTIONS = 4
/** How long half the load lasts. */
const LOAD_MS = 20_000
const POLL_MS = 20

async function bareKafka(world: World, client: string, file: string): Promise<number> {
  const topic = await world.topics.make({ name: `bare-${randomUUID()}` })
  const script = fileURLToPath(import.meta.resolve('./bare-kafka.ts'))
  const args = [script, client, world.topics.brokers.join(','), topic, file, String(BATCH_EVENTS), String(CONNECTIONS)]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return Number(stdout)
}

/** How many records are folded. */
async function folded(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ n: string }>(
    `select coalesce(sum(next_offset), 0) as n from cursors where projection = 'project'`,
  )
  return Number(rows[0]?.n ?? 0)
}

/** Folds a whole topic. Gives records a second from its first commit to its last, and µs of processor a record. */
async function projectRate(world: World, at: Place, events: number): Promise<{ rate: number; cpu: number }> {
  const client = new pg.Client({ connectionString: at.database })
  await client.connect()
  const project = await program(world, at, 'project')
  try {
    let [first, firstMs] = [0, 0]
    const before = cpuSeconds(project.pid)
    for (;;) {
      const now = await folded(client)
      if (first === 0 && now > 0) [first, firstMs] = [now, performance.now()]
      if (now >= events) {
        const rate = ((now - first) / (performance.now() - firstMs)) * 1000
        return { rate, cpu: ((cpuSeconds(project.pid) - before) / events) * 1e6 }
      }
      await sleep(POLL_MS)
    }
  } finally {
    await project.stop()
    await client.end()
  }
}

/** Seconds until a snapshot has everything that is in the log now. */
async function secondsToSnapshot(query: Program): Promise<number> {
  const startedMs = performance.now()
  await getOk(query.port, '/v1/snapshots?after=latest&wait=60')
  return (performance.now() - startedMs) / 1000
}

/** Seconds that archive takes for a whole topic: from its start, and for as much again once it has run. */
async function archiveSeconds(world: World, at: Place, file: string): Promise<{ cold: number; warm: number }> {
  const client = new pg.Client({ connectionString: at.database })
  await client.connect()
  // Whoever waits for a snapshot is told when nobody folds, so that goes on beside.
  const reader = await program(world, at, 'project,query')
  const archive = await program(world, at, 'archive')
  try {
    const cold = await secondsToSnapshot(reader)
    const before = await folded(client)
    // It stands still while the same number of events comes in and is folded.
    process.kill(archive.pid, 'SIGSTOP')
    const ingester = await program(world, at, 'ingest')
    const { events } = await during(ingester, () => send(batches(ingester.port, file)))
    while ((await folded(client)) < before + events) await sleep(POLL_MS)
    process.kill(archive.pid, 'SIGCONT')
    return { cold, warm: await secondsToSnapshot(reader) }
  } finally {
    process.kill(archive.pid, 'SIGCONT')
    await archive.stop()
    await reader.stop()
    await client.end()
  }
}

/** Everything at once: the rate at which events become visible in the store, then at half of it how long each batch takes. */
async function visibility(world: World, work: Workload): Promise<{ rate: number; ms: number[] }> {
  const at = await place(world)
  const running = [
    await program(world, at, 'ingest'),
    await program(world, at, 'project'),
    await program(world, at, 'archive'),
    await program(world, at, 'query'),
  ]
  const [ingest, , , query] = running
  if (ingest === undefined || query === undefined) throw new Error('a program is missing')
  try {
    const startedMs = performance.now()
    await send(batches(ingest.port, work.path))
    await getOk(query.port, '/v1/trajectories?run=bench&limit=1&after=latest&wait=60')
    const rate = (work.events / (performance.now() - startedMs)) * 1000
    await getOk(query.port, '/v1/snapshots?after=latest&wait=60')
    const more = writeWorkload(join(world.folder, 'half.ndjson'), 'half', Math.ceil((rate / 2) * (LOAD_MS / 1000)))
    const everyMs = (BATCH_EVENTS / (rate / 2)) * 1000
    const ms: number[] = []
    const seen: Promise<void>[] = []
    const beganMs = performance.now()
    let nth = 0
    for (const { bytes } of parts(more.path, BATCH_EVENTS)) {
      await sleep(Math.max(0, beganMs + nth++ * everyMs - performance.now()))
      if (performance.now() - beganMs > LOAD_MS) break
      seen.push(visible(ingest.port, query.port, bytes).then((took) => void ms.push(took)))
    }
    await Promise.all(seen)
    return { rate, ms: ms.toSorted((left, right) => left - right) }
  } finally {
    for (const one of running) await one.stop()
  }
}

/** From sending a batch until a list that includes it is answered, in ms. */
async function visible(ingest: number, query: number, body: Buffer): Promise<number> {
  const sentMs = performance.now()
  const answer = await fetch(`http://127.0.0.1:${ingest}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: new Uint8Array(body),
  })
  if (answer.status !== 200) throw new Error(`ingest answered ${answer.status}`)
  const { position } = (await answer.json()) as { position: string }
  await getOk(query, `/v1/trajectories?run=half&limit=1&after=${position}&wait=60`)
  return performance.now() - sentMs
}

interface Round {
  readonly ingest: number
  readonly bare: number
  readonly other: number
  readonly project: number
  readonly upsert: number
  readonly archive: number
  readonly started: number
  readonly duckdb: number
}

/** Does work while a program runs, and ends that. */
async function during<Result>(running: Program, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } finally {
    await running.stop()
  }
}

async function round(world: World, work: Workload): Promise<Round> {
  const bare = await bareKafka(world, 'kafkajs', work.path)
  const other = await bareKafka(world, 'platformatic', work.path)
  say(`  bare kafkajs ${short(bare)}/s, @platformatic/kafka ${short(other)}/s`)
  const at = await place(world)
  const ingester = await program(world, at, 'ingest')
  const sent = await during(ingester, () => send(batches(ingester.port, work.path)))
  const ingest = (sent.events / sent.ms) * 1000
  say(`  ingest ${short(ingest)}/s`)
  const project = await projectRate(world, at, work.events)
  const { seconds, rows } = await bareUpsert(at.database, await newDatabase(world))
  const upsert = work.events / seconds
  say(`  project ${short(project.rate)}/s at ${short(project.cpu)} µs, bare upsert ${short(upsert)}/s (${rows} rows)`)
  const more = writeWorkload(join(world.folder, 'more.ndjson'), 'more', work.steps)
  const { cold, warm } = await archiveSeconds(world, at, more.path)
  const [archive, started] = [more.events / warm, work.events / cold]
  const duckdb = more.events / (await duckdbLake(more.path, world.folder))
  say(`  archive ${short(archive)}/s, from its start ${short(started)}/s, DuckDB alone ${short(duckdb)}/s`)
  return { ingest, bare, other, project: project.rate, upsert, archive, started, duckdb }
}

function figuresOf(rounds: readonly Round[], shown: { rate: number; ms: readonly number[] }): Figure[] {
  const of = (name: keyof Round): number => median(rounds.map((one) => one[name]))
  const ratio = (ours: keyof Round, theirs: keyof Round): number => median(rounds.map((one) => one[ours] / one[theirs]))
  const events = (name: keyof Round): string => `${short(of(name))} events/s`
  return [
    {
      name: 'through Kafka: ingest / bare kafkajs',
      value: ratio('ingest', 'bare'),
      target: 0.5,
      detail: `${events('ingest')} acknowledged at acks=all, of ${short(of('bare'))}`,
    },
    {
      name: 'bare @platformatic/kafka / bare kafkajs',
      value: ratio('other', 'bare'),
      detail: `${events('other')} with the same batches`,
    },
    {
      name: 'project / bare upsert of the same rows',
      value: ratio('project', 'upsert'),
      target: 0.5,
      detail: `${events('project')}, of ${short(of('upsert'))}`,
    },
    {
      name: 'archive / DuckDB alone',
      value: ratio('archive', 'duckdb'),
      target: 0.5,
      detail: `${events('archive')} from log to snapshot, ${short(of('started'))} from its start with an empty lake, of ${short(of('duckdb'))}`,
    },
    {
      name: 'sent to readable in a list at half load, p99',
      value: quantile(shown.ms, 0.99) / 1000,
      target: 1,
      better: 'less',
      unit: ' s',
      detail: `median ${short(quantile(shown.ms, 0.5))} ms over ${shown.ms.length} batches at ${short(shown.rate / 2)} events/s`,
    },
  ]
}

/** Everything through Kafka, on a stack of its own with one broker. */
export async function kafkaFigures({ rounds, steps }: Scale): Promise<Figure[]> {
  return withStack(async (world) => {
    const work = writeWorkload(join(world.folder, 'events.ndjson'), 'bench', Math.min(steps, STEPS_MAX))
    say(`kafka: ${work.events} events of ${Math.round(work.bytes / work.events)} bytes`)
    const all: Round[] = []
    for (let nth = 0; nth < rounds; nth++) all.push(await round(world, work))
    return figuresOf(all, await visibility(world, work))
  })
}
