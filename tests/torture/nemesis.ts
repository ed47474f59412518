/** What breaks things: programs, brokers, Postgres, S3 and the connections between them, in an order that a seed gives. */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { random as randomOf, type Random } from '#services/gym/random.ts'
import { faultsByChance } from '#tests/support/s3-faults.ts'
import type { Drained, Member } from './fleet.ts'
import type { StormWorld } from './world.ts'

export interface NemesisOptions {
  readonly seed: number
  readonly world: StormWorld
  readonly members: readonly Member[]
  /** The storm ends after so many SIGKILLs of programs. */
  readonly kills: number
  readonly say: (line: string) => void
}

/** How often each fault came. */
export type Faults = Record<FaultName, number>

/** What the storm did. */
export interface Raged {
  readonly faults: Faults
  /** Of programs that were told to end in the middle of it, and were not killed before they had. */
  readonly drained: readonly Drained[]
}

const LEASE_MS = 3_000
const JUMP_MS_MAX = 20_000
/** A run of so many kills is a long one. */
const LONG_KILLS = 100

/** Faults with their weights. Each ends by itself, with everything as it was. */
const FAULTS = {
  kill_program: 66,
  end_program: 10,
  freeze_program: 8,
  kill_broker: 4,
  broker_away: 1,
  kill_postgres: 4,
  cut_postgres: 5,
  lose_commits: 4,
  lose_produce: 4,
  s3_errors: 4,
  kill_s3: 2,
  clock_jump: 4,
} as const
type FaultName = keyof typeof FAULTS

interface Storm extends NemesisOptions {
  readonly random: Random
  readonly drained: Drained[]
}

const ACTS: Readonly<Record<FaultName, (storm: Storm) => Promise<boolean>>> = {
  kill_program: async ({ random, members }) => random.pick(members).kill(),
  end_program: async ({ random, members, drained }) => {
    const how = await random.pick(members).drain()
    if (how !== undefined) drained.push(how)
    return how !== undefined
  },
  // Past its lease, so that others take its work before it goes on.
  freeze_program: ({ random, members }) => random.pick(members).freeze(random.int(LEASE_MS / 2, LEASE_MS * 2)),
  kill_broker: (storm) => brokerGone(storm, storm.random.int(500, 4_000)),
  // A minute would be most of a short run.
  broker_away: (storm) => brokerGone(storm, storm.kills < LONG_KILLS ? 20_000 : 60_000),
  kill_postgres: async ({ random, world }) => {
    await world.kill('postgres')
    await sleep(random.int(0, 3_000))
    await world.start('postgres')
    return true
  },
  cut_postgres: async ({ world }) => {
    world.postgresProxy.breakAll()
    return true
  },
  lose_commits: async ({ random, world }) => {
    world.postgresProxy.cutCommits(
      ...Array.from({ length: 6 }, () => random.pick(['after', 'before', 'pass'] as const)),
    )
    return true
  },
  lose_produce: async ({ random, world }) => {
    for (const proxy of world.kafkaProxies) {
      proxy.loseProduce(() => random.chance(0.15))
      proxy.cutProduce(() => random.chance(0.1))
    }
    await sleep(random.int(500, 2_500))
    for (const proxy of world.kafkaProxies) {
      proxy.loseProduce(() => false)
      proxy.cutProduce(() => false)
    }
    return true
  },
  s3_errors: async ({ random, world }) => {
    const share = faultsByChance(() => random.next(), 0.3, [
      'reset_before',
      'lost_answer',
      'cut_answer',
      'slow',
      429,
      500,
      503,
    ])
    world.s3Proxy.plan(share)
    await sleep(random.int(1_000, 4_000))
    world.s3Proxy.plan(() => undefined)
    return true
  },
  kill_s3: async ({ random, world }) => {
    await world.kill('s3')
    await sleep(random.int(0, 4_000))
    await world.start('s3')
    return true
  },
  clock_jump: clockJump,
}

/**
 * The clock of Postgres jumps, ahead or back: leases are compared with it there alone, so that is the same as all of them
 * moved the other way.
 */
async function clockJump({ random, world }: Storm): Promise<boolean> {
  const client = new pg.Client({ connectionString: world.direct['STORE_URL'] })
  client.on('error', () => undefined)
  const ms = random.int(-JUMP_MS_MAX, JUMP_MS_MAX)
  try {
    await client.connect()
    await client.query(
      'update workers set lease_until_ms = lease_until_ms - $1::bigint, joined_at_ms = joined_at_ms - $1::bigint',
      [ms],
    )
    return true
  } catch {
    // Postgres was killed a moment ago, and has no clock now.
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function brokerGone({ random, world }: Storm, ms: number): Promise<boolean> {
  const node = random.pick(world.brokers)
  await world.kill('kafka', node)
  await sleep(ms)
  await world.start('kafka', node)
  return true
}

function chosen(random: Random): FaultName {
  const names = Object.keys(FAULTS) as FaultName[]
  const total = names.reduce((sum, name) => sum + FAULTS[name], 0)
  let left = random.int(0, total)
  for (const name of names) {
    if (left < FAULTS[name]) return name
    left -= FAULTS[name]
  }
  return 'kill_program'
}

/** Longer ones go on beside the kills; of each part one thing breaks at a time. */
const BESIDE: Readonly<Partial<Record<FaultName, string>>> = {
  end_program: 'programs',
  freeze_program: 'programs',
  kill_broker: 'kafka',
  broker_away: 'kafka',
  kill_postgres: 'postgres',
  lose_produce: 'connections to kafka',
  s3_errors: 's3',
  kill_s3: 's3',
}

/** Breaks things until enough programs were killed. Resolves when everything runs again. */
export async function rage(options: NemesisOptions): Promise<Raged> {
  const { seed, kills, say } = options
  const random = randomOf(seed, 'nemesis')
  const faults = Object.fromEntries(Object.keys(FAULTS).map((name) => [name, 0])) as Faults
  const drained: Drained[] = []
  const underWay = new Map<string, Promise<void>>()
  let failed: Error | undefined
  while (faults.kill_program < kills && failed === undefined) {
    await sleep(random.int(400, 4_000))
    const name = chosen(random)
    const part = BESIDE[name]
    if (part !== undefined && underWay.has(part)) continue
    const acting = ACTS[name]({ ...options, drained, random: randomOf(random.int(0, 2 ** 30), name) }).then(
      (isDone) => {
        if (!isDone) return
        faults[name] += 1
        if (name === 'kill_program' && faults[name] % 10 === 0) say(`${faults[name]} kills`)
      },
    )
    if (part === undefined) await acting
    else
      underWay.set(
        part,
        acting
          .catch((error: unknown) => {
            failed = error instanceof Error ? error : new Error('a fault could not be mended', { cause: error })
          })
          .finally(() => underWay.delete(part)),
      )
  }
  await Promise.all(underWay.values())
  if (failed !== undefined) throw failed
  return { faults, drained }
}
