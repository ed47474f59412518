/**
 * What an event costs while the store and the lake grow: ingest, project, archive and query, each a process of its own on
 * real Kafka, Postgres and S3, take a run in tenths. The next tenth goes out once the last one is in a list and in a
 * snapshot, so all that is spent meanwhile is spent on it.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { running } from '#infra/local/processes.ts'
import { batches, type Scale } from './ingest.ts'
import { place, type Program, program, type World, withStack } from './kafka-world.ts'
import { cpuSeconds, send, watchMemory } from './processes.ts'
import { getOk } from './reads.ts'
import { type Figure, say, short } from './report.ts'
import { EVENTS_EACH, STEPS_EACH, trajectoriesOf, type Workload, writeWorkload } from './workload.ts'

/** 3,000,000 events. */
export const FLAT_STEPS = 2_500_000
const TENTHS = 10
/** A file of the workload holds so many trajectories, 55 MB; two are on disk at a time. */
const PART_TRAJECTORIES = 2_560
const PROGRAMS = ['ingest', 'project', 'archive', 'query'] as const
type Name = (typeof PROGRAMS)[number]
const BESIDE = ['Kafka', 'Postgres', 'S3'] as const
const MIB = 2 ** 20

/** Processor seconds so far. */
type Spent = Readonly<Record<Name | (typeof BESIDE)[number], number>>

/** What a tenth took. */
interface Tenth {
  readonly events: number
  readonly rate: number
  /** µs of processor an event. */
  readonly cost: Spent
  /** Of the four programs together, with DuckDB's processes. */
  readonly whole: number
  /** The most memory that each of the four held, added up, in bytes, without mapped files. */
  readonly memory: number
  /** Requests that were answered 429 or 503, and sent again. */
  readonly again: number
}

interface Fleet {
  readonly programs: Readonly<Record<Name, Program>>
  readonly pids: Readonly<Record<keyof Spent, number>>
}

async function started(world: World): Promise<Fleet> {
  const at = await place(world)
  const { kafka, postgres, s3 } = world.stack
  const programs = {
    ingest: await program(world, at, 'ingest'),
    project: await program(world, at, 'project'),
    archive: await program(world, at, 'archive'),
    query: await program(world, at, 'query'),
  }
  const pidIn = (folder: string): number => {
    const pid = running(folder)
    if (pid === undefined) throw new Error(`nothing runs in ${folder}`)
    return pid
  }
  return {
    programs,
    pids: {
      ingest: programs.ingest.pid,
      project: programs.project.pid,
      archive: programs.archive.pid,
      query: programs.query.pid,
      Kafka: pidIn(join(kafka.folder, String(kafka.brokers[0]?.node))),
      Postgres: pidIn(postgres.folder),
      S3: pidIn(s3.folder),
    },
  }
}

function spent({ pids }: Fleet): Spent {
  return Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)])) as Spent
}

/** The run, file by file, each made while the one before it is sent. */
class Parts {
  readonly #folder: string
  #first = 0
  #nth = 0

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Writes the next file. */
  next(trajectories: number): Workload {
    const path = join(this.#folder, `part-${this.#nth++ % 2}.ndjson`)
    rmSync(path, { force: true })
    const part = writeWorkload(path, 'bench', trajectories * STEPS_EACH, this.#first)
    this.#first += part.trajectories
    return part
  }
}

/** Sends so many trajectories, and waits until all are in a list and in a snapshot. */
async function sendTenth({ programs }: Fleet, parts: Parts, trajectories: number): Promise<{ again: number }> {
  let again = 0
  let left = trajectories
  const next = (): Workload | undefined => {
    if (left === 0) return undefined
    const part = parts.next(Math.min(left, PART_TRAJECTORIES))
    left -= part.trajectories
    return part
  }
  for (let part = next(); part !== undefined;) {
    const sending = send(batches(programs.ingest.port, part.path))
    // Awaited below; meanwhile the next file is made.
    sending.catch(() => {})
    part = next()
    again += (await sending).again
  }
  await getOk(programs.query.port, '/v1/runs?after=latest&wait=60')
  await getOk(programs.query.port, '/v1/snapshots?after=latest&wait=60')
  return { again }
}

async function tenth(fleet: Fleet, parts: Parts, trajectories: number): Promise<Tenth> {
  const events = trajectories * EVENTS_EACH
  const memory = PROGRAMS.map((name) => watchMemory(fleet.pids[name]))
  const before = spent(fleet)
  const startedMs = performance.now()
  try {
    const { again } = await sendTenth(fleet, parts, trajectories)
    const rate = (events / (performance.now() - startedMs)) * 1000
    const after = spent(fleet)
    const cost = Object.fromEntries(
      Object.entries(after).map(([name, seconds]) => [name, ((seconds - before[name as keyof Spent]) / events) * 1e6]),
    ) as Spent
    return {
      events,
      rate,
      cost,
      whole: PROGRAMS.reduce((sum, name) => sum + cost[name], 0),
      memory: memory.reduce((sum, watch) => sum + watch.stop().own, 0),
      again,
    }
  } finally {
    for (const watch of memory) watch.stop()
  }
}

function told({ rate, cost, whole, memory, again }: Tenth): string {
  const each = (names: readonly (keyof Spent)[]): string =>
    names.map((name) => `${name} ${short(cost[name])}`).join(', ')
  return `${short(rate)} events/s, ${short(whole)} µs of processor each (${each(PROGRAMS)}; beside them ${each(BESIDE)}), ${short(memory / MIB)} MiB, ${again} requests sent again`
}

function figuresOf(tenths: readonly Tenth[]): Figure[] {
  const [first, second] = tenths
  const last = tenths.at(-1)
  if (first === undefined || second === undefined || last === undefined) throw new Error('a tenth is missing')
  const events = tenths.reduce((sum, one) => sum + one.events, 0)
  const beside = (one: Tenth): number => BESIDE.reduce((sum, name) => sum + one.cost[name], 0)
  return [
    {
      name: 'cost of an event, last tenth / first',
      value: last.whole / first.whole,
      target: 1.2,
      better: 'less',
      detail: `${short(last.whole)} µs of processor, of ${short(first.whole)}; over ${events} events`,
    },
    {
      name: 'cost of an event, last tenth / second',
      value: last.whole / second.whole,
      target: 1.2,
      better: 'less',
      detail: `of ${short(second.whole)} µs: the first tenth warms everything up`,
    },
    {
      name: 'the same of Kafka, Postgres and S3, last / second',
      value: beside(last) / beside(second),
      better: 'less',
      detail: `${short(beside(last))} µs of processor, of ${short(beside(second))}`,
    },
    {
      name: 'rate, last tenth / second',
      value: last.rate / second.rate,
      detail: `${short(last.rate)} events/s, of ${short(second.rate)}; ${short(first.rate)} in the first tenth`,
    },
  ]
}

/** What an event costs from the first to the last of a run, on a stack of its own with one broker. */
export function flatFigures({ steps }: Scale): Promise<Figure[]> {
  return withStack(async (world) => {
    const fleet = await started(world)
    try {
      const trajectories = trajectoriesOf(steps / TENTHS)
      say(`flat: ${TENTHS} times ${trajectories * EVENTS_EACH} events`)
      const parts = new Parts(world.folder)
      const tenths: Tenth[] = []
      for (let nth = 0; nth < TENTHS; nth++) {
        const one = await tenth(fleet, parts, trajectories)
        say(`  ${nth * 10} to ${nth * 10 + 10} %: ${told(one)}`)
        tenths.push(one)
      }
      return figuresOf(tenths)
    } finally {
      for (const one of Object.values(fleet.programs)) await one.stop()
    }
  })
}
