/**
 * `npm run torture`: every program in processes of its own on a real stack, killed, frozen and cut off under load; then a
 * checker reads what clients saw and what lies everywhere. `npm run torture -- --kills 20 --seed 7` repeats a shorter storm.
 * The last line is `N passed, N failed`, as of every suite.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { check, copiesIn, type Kind, type Violation } from './checker.ts'
import { Clients } from './clients.ts'
import { collect } from './collect.ts'
import { type Drained, type Member, startFleet, untilReady } from './fleet.ts'
import { type Faults, rage } from './nemesis.ts'
import { stormWorld, type StormWorld } from './world.ts'

const RUN = 'torture'
const PROGRAMS = { ingest: 2, project: 2, archive: 2, query: 2 } as const
/** Those that began a rollout end it within this time once everything runs again. */
const CALM_MS_MAX = 240_000
/** SIGTERM drains within 9 s; the rest is for a busy machine to notice. */
const DRAIN_MS_MAX = 10_000
/** What is not drained by then is cut short with 1, as where Postgres is gone at that moment. */
const CUT_SHORT_MS = 8_900
const SHOWN = 20

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    seed: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
})
const kills = Number(values.kills)
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
if (!Number.isSafeInteger(kills) || kills < 1 || !Number.isSafeInteger(seed)) {
  process.stdout.write('usage: npm run torture -- [--kills 100] [--seed n] [--keep]\n')
  process.exit(2)
}

const began = performance.now()
const say = (line: string): void =>
  void process.stdout.write(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}\n`)

interface Storm {
  readonly clients: Clients
  readonly faults: Faults
  readonly members: readonly Member[]
  readonly violations: readonly Violation[]
  /** Records that Kafka has more than once, each time but the first. */
  readonly copies: number
  /** Told to end under load. */
  readonly drained: readonly Drained[]
  /** Told to end once all was over. */
  readonly ended: readonly Drained[]
}

/** The storm, and what is left after it. */
async function storm(world: StormWorld): Promise<Storm> {
  const members = await startFleet({ folder: world.folder, env: world.env, programs: PROGRAMS })
  const giveUp = new AbortController()
  const enough = new AbortController()
  try {
    await Promise.all(members.map((member) => untilReady(member)))
    say(`${members.length} processes are ready`)
    const urls = (program: string): string[] =>
      members.filter((member) => member.program === program).map(({ url }) => url)
    const clients = new Clients({
      seed,
      runId: RUN,
      ingestUrls: urls('ingest'),
      queryUrls: urls('query'),
      writers: 6,
      readers: 4,
    })
    const working = clients.run(enough.signal, giveUp.signal)
    working.catch(() => undefined)
    const { faults, drained } = await rage({ seed, world, members, kills, say })
    say('the storm is over')
    await Promise.all(members.map((member) => untilReady(member)))
    enough.abort()
    const late = setTimeout(() => giveUp.abort(new Error('writers could not end what they began')), CALM_MS_MAX)
    await working
    clearTimeout(late)
    say('everything that was begun is acknowledged')
    const found = await collect({
      env: world.direct,
      queryUrl: urls('query')[0] ?? '',
      runId: RUN,
      folder: world.folder,
    })
    say('everything is read back')
    const violations = check(clients, found)
    const ended = await Promise.all(members.map((member) => member.end()))
    return { clients, faults, members, violations, copies: copiesIn(found), drained, ended }
  } finally {
    giveUp.abort(new Error('the storm is over'))
    enough.abort()
    await Promise.all(members.map((member) => member.destroy()))
  }
}

/** What is checked, a line each, with the number of faults found. */
function verdicts({ clients, members, violations, drained, ended }: Storm): [name: string, faults: number][] {
  const of = (...kinds: Kind[]): number => violations.filter(({ kind }) => kinds.includes(kind)).length
  return [
    ['nothing that was acknowledged is lost', of('lost')],
    ['nothing is there twice', of('doubled')],
    ['nothing came out of nowhere', of('out_of_nowhere')],
    ['no trajectory has a gap', of('gap')],
    ['no read was older than it asked for', of('stale')],
    ['everything says what was sent', of('differs')],
    ['no answer made no sense', clients.oddities.length],
    ['every program drained in time', [...drained, ...ended].filter(({ ms }) => ms > DRAIN_MS_MAX).length],
    ['every program that was not cut short ended with 0', [...drained.filter(isWhole), ...ended].filter(isBad).length],
    ['every kind of program was running', members.length === 8 ? 0 : 1],
  ]
}

const isWhole = ({ ms }: Drained): boolean => ms < CUT_SHORT_MS
const isBad = ({ code }: Drained): boolean => code !== 0

function report(result: Storm): boolean {
  const { clients, faults, members, violations, drained, ended, copies } = result
  for (const { kind, where, what } of violations.slice(0, SHOWN)) say(`${kind} in ${where}: ${what}`)
  for (const oddity of clients.oddities.slice(0, SHOWN)) say(`odd: ${oddity}`)
  const sent = clients.facts.filter(({ attempts }) => attempts > 0).length
  const acked = clients.facts.filter(({ acks }) => acks > 0).length
  const { acknowledged, refused, unknown, readsRefused } = clients.counts
  say(
    `seed ${seed}: ${sent} events sent, ${acked} acknowledged (${acknowledged} times), ${refused} refused, ${unknown} unknown`,
  )
  say(`${copies} copies lie in Kafka beside the first of each, and were counted once`)
  say(
    `${clients.reads.length} reads after a position answered, ${clients.snapshots.length} of snapshots, ${readsRefused} put off`,
  )
  say(
    `faults: ${Object.entries(faults)
      .map(([name, n]) => `${name} ${n}`)
      .join(', ')}`,
  )
  const slowest = Math.max(0, ...drained.map(({ ms }) => ms))
  say(
    `told to end under load: ${drained.length}, the slowest in ${(slowest / 1000).toFixed(1)} s, ${drained.filter((one) => !isWhole(one)).length} cut short; at the end: ${ended.length}`,
  )
  for (const { name, ms, code } of [...drained, ...ended])
    if (code !== 0 || ms > DRAIN_MS_MAX) say(`${name} ended with ${code} after ${(ms / 1000).toFixed(1)} s`)
  say(`lives that ended by themselves: ${members.map(({ name, crashes }) => `${name} ${crashes}`).join(', ')}`)
  const lines = verdicts(result)
  for (const [name, n] of lines) say(`${n === 0 ? 'passed' : 'FAILED'}: ${name}${n === 0 ? '' : ` (${n})`}`)
  const failed = lines.filter(([, n]) => n > 0).length
  process.stdout.write(`${lines.length - failed} passed, ${failed} failed\n`)
  return failed === 0
}

say(`seed ${seed}, ${kills} kills; repeat it with: npm run torture -- --kills ${kills} --seed ${seed}`)
const world = await stormWorld()
let isGood = false
try {
  // The S3 client of the checker looks for its credentials where all of them do.
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_REGION'])
    process.env[name] = world.direct[name]
  say('the stack stands')
  isGood = report(await storm(world))
} catch (error) {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error))
  process.stdout.write('0 passed, 1 failed\n')
} finally {
  const keep = values.keep || !isGood
  if (keep) say(`logs of every program: ${world.folder}`)
  await world.close(keep)
  // Timers of clients that were given up must not hold the end.
  await sleep(0)
  process.exit(isGood ? 0 : 1)
}
