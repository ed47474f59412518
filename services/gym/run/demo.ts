/** The demo's run: three versions of a noisy policy, each better than the one before, part by part and always the same. */
import { Problem } from '#services/problem.ts'
import { experts, kinds } from '#services/gym/items/families.ts'
import { simulatedClock } from '#services/gym/loop/clock.ts'
import { openGym } from '#services/gym/loop/episodes.ts'
import { runStartedEvent, type RunFacts } from '#services/gym/loop/episode-events.ts'
import type { GymEvent } from '#services/gym/loop/event.ts'
import { vistaRewardVersion } from '#services/gym/loop/reward.ts'
import { rewardVersionNamed } from '#services/gym/loop/reward-versions.ts'
import { tokenRule } from '#services/gym/loop/tokens.ts'
import { faultyOutput } from '#services/gym/policies/faulty-output.ts'
import { noisyPolicies, type NoiseRates } from '#services/gym/policies/noisy.ts'
import type { PolicySource } from '#services/gym/policies/source.ts'
import type { RecordedImage } from '#services/gym/publish/recorder.ts'
import { random } from '#services/gym/random.ts'
import { nameOf } from '#services/gym/tools/offered.ts'
import { openTools } from '#services/gym/tools/open.ts'
import type { Tools } from '#services/gym/tools/tools.ts'
import { groupRecorder, outcomesOf } from './group-recorder.ts'
import { metricEvents, metricValues, type Outcome } from './metrics.ts'
import { nothingKnown, planned, type Planned } from './plan.ts'
import { endedEvents, policyPublishedEvent } from './run-events.ts'
import { playedRun } from './run.ts'

/** What to play. */
export type DemoOptions = {
  readonly seed: number
  readonly run_id: string
  /** How many items, 1 to 10,000: of all families in turn, at the easiest level. */
  readonly items: number
  /** Rollouts of each item by each policy version, 1 to 1,024. */
  readonly group_size: number
  /** Which versions of the policy, 0 to 2, in the order in which they are published. Train step = version. */
  readonly policy_versions: readonly number[]
}

/** 20 x 8 x 3 = 480 rollouts. */
export const demoPlay: DemoOptions = {
  seed: 1,
  run_id: 'demo-rl',
  items: 20,
  group_size: 8,
  policy_versions: [0, 1, 2],
}

/** What a part of the play is about, for showing progress. */
export type PlayedAbout = { readonly done: number; readonly total: number } & (
  | { readonly phase: 'run_started' | 'run_finished' }
  | { readonly phase: 'policy_published'; readonly policy_version: number }
  | { readonly phase: 'group'; readonly group_id: string; readonly question: string }
  | { readonly phase: 'train_step'; readonly policy_version: number; readonly metrics: ReadonlyMap<string, number> }
)

/** Events in their order, and the pictures that they name, which are to be put first. */
export type PlayedPart = {
  readonly events: readonly GymEvent[]
  readonly images: readonly RecordedImage[]
  readonly about: PlayedAbout
}

/** What a rollout of each version does wrong: shares of rollouts, of an item of middling hardness. */
const RATES: readonly NoiseRates[] = [
  rates([0.12, 0.12, 0.08, 0.05, 0.05, 0.38, 0.04], [0.25, 0.18, 0.06, 0.6]),
  rates([0.06, 0.06, 0.05, 0.03, 0.04, 0.2, 0.02], [0.1, 0.07, 0.02, 0.3]),
  rates([0.02, 0.02, 0.02, 0.01, 0.02, 0.04, 0.01], [0.02, 0.02, 0.01, 0.1]),
]
/** An item's hardness, which its shares are multiplied by: without it all groups would look alike. */
const HARDNESS = [0.1, 0.5, 1, 1.5, 2.1] as const

/** 2026-01-05T09:00:00Z. All times of a play are simulated from here; the real clock is never read. */
const EPOCH_MS = Date.UTC(2026, 0, 5, 9)
const TRAIN_STEP_MS = 2 * 60 * 60 * 1000
const GROUP_MS = 20 * 1000
/** How many groups are played at the same time: enough to keep the tools' threads busy. */
const AHEAD = 4
/** The answer included, as in the paper. */
const MAX_TURNS = 3

/**
 * Plays the run part by part: its beginning, then for each policy version every item's group (its rollouts interleaved
 * as they would be in time; the item with its picture where it is met first) and what the version came to. The same
 * options give the same events and pictures on every machine. Throws a Problem on senseless options.
 */
export async function* playRun(options: DemoOptions): AsyncGenerator<PlayedPart> {
  checkOptions(options)
  const { run_id, policy_versions, group_size } = options
  const total = options.items * group_size * policy_versions.length
  const room = openedRoom(options)
  let done = 0
  let ended = EPOCH_MS
  try {
    const started = runStartedEvent(room.facts, EPOCH_MS)
    yield { events: [started], images: [], about: { phase: 'run_started', done, total } }
    for (const version of policy_versions) {
      const published = policyPublishedEvent(run_id, version, EPOCH_MS + version * TRAIN_STEP_MS)
      yield {
        events: [published],
        images: [],
        about: { phase: 'policy_published', policy_version: version, done, total },
      }
      const outcomes: Outcome[] = []
      for await (const { group_id, question, events, images } of room.groups(version)) {
        done += group_size
        outcomes.push(...outcomesOf(events))
        ended = events.reduce((last, { time }) => Math.max(last, Date.parse(time)), ended)
        yield { events, images, about: { phase: 'group', group_id, question, done, total } }
      }
      const metrics = metricValues(outcomes)
      const events = metricEvents({ run_id, train_step: version, substep: 0 }, metrics, ended)
      yield { events, images: [], about: { phase: 'train_step', policy_version: version, metrics, done, total } }
    }
    const events = endedEvents(run_id, ended + 1000)
    yield { events, images: [], about: { phase: 'run_finished', done, total } }
  } finally {
    await room.close()
  }
}

/** A gym whose events come out group by group. */
function openedRoom(options: DemoOptions) {
  const { seed, run_id, items, group_size } = options
  const tools = openTools({ threads: 2 })
  const recorder = groupRecorder()
  const starts = new Map<string, number>()
  const gym = openGym({
    kinds,
    tools,
    recorder,
    clock: simulatedClock(EPOCH_MS, (id) => (starts.get(groupOf(id)) ?? EPOCH_MS) + random('start', id).int(0, 400)),
    run_id,
    newId: () => run_id,
    logger: () => {},
    announces_runs: false,
    faultyOutput: (call) => faultyOutput(call, tools.definitions),
  })
  const source = risingPolicies(tools.definitions)
  const play = async (group_id: string, plan: readonly Planned[], version: number) => {
    let question = ''
    await playedRun({
      gym,
      source,
      plan,
      total: plan.length,
      run_id,
      seed,
      group_size,
      policy_version: version,
      reset: { max_turns: MAX_TURNS },
      concurrency: group_size,
      known: nothingKnown,
      onRollout: (rollout) => (question = rollout.question),
      signal: NEVER,
    })
    return { group_id, question, ...recorder.take(group_id) }
  }
  return {
    facts: factsOf(options, tools, source),
    async *groups(version: number) {
      const stream = { seed, split: 'train', style: 'ordinary', level: 0 } as const
      const all = planned({ kinds, stream, items, group_size, run_id, policy_version: version })
      const groups = Map.groupBy(all, ({ group_id }) => group_id)
      for (const [place, id] of [...groups.keys()].entries())
        starts.set(id, EPOCH_MS + version * TRAIN_STEP_MS + 1000 + place * GROUP_MS)
      const under: ReturnType<typeof play>[] = []
      for (const [id, plan] of groups) {
        const playing = play(id, plan, version)
        // Asked for in turn: what fails meanwhile is told then.
        playing.catch(() => {})
        under.push(playing)
        if (under.length >= AHEAD) yield* [await under.shift()].filter((group) => group !== undefined)
      }
      for (const playing of under) yield await playing
    },
    close: async () => {
      await gym.close()
      await tools.close()
    },
  }
}

const NEVER = new AbortController().signal

const groupOf = (trajectoryId: string): string => trajectoryId.replace(/\/\d+$/, '')

/** A noisy policy for every item: the harder the item, the more it does wrong. */
function risingPolicies(definitions: Tools['definitions']): PolicySource {
  const byHardness = new Map(
    HARDNESS.map((hardness) => [hardness, noisyPolicies(experts, definitions, scaled(hardness))]),
  )
  const middling = noisyPolicies(experts, definitions, RATES)
  return {
    actor_model: middling.actor_model,
    sampling: { ...middling.sampling, hardness: HARDNESS },
    policy: (rollout) => {
      const hardness = random(rollout.seed, 'hardness', rollout.item_id).pick(HARDNESS)
      return (byHardness.get(hardness) ?? middling).policy(rollout)
    },
  }
}

const scaled = (hardness: number): NoiseRates[] =>
  RATES.map((rates) =>
    Object.fromEntries(Object.entries(rates).map(([noise, rate]) => [noise, Math.min(1, rate * hardness)])),
  )

function factsOf(
  { run_id, group_size, seed, items, policy_versions }: DemoOptions,
  { schemas }: Tools,
  source: PolicySource,
): RunFacts {
  return {
    run_id,
    kind: 'rl',
    reward: rewardVersionNamed(vistaRewardVersion),
    needs_tool_call: false,
    format: 'strict',
    max_turns: MAX_TURNS,
    group_size,
    seed,
    tool_set: schemas.map(nameOf),
    config: {
      items,
      policy_versions,
      policy: 'noisy: an expert that errs less from version to version; nothing is trained',
      actor_model: source.actor_model,
      tokens: tokenRule,
      clock: 'simulated',
    },
  }
}

function checkOptions({ seed, run_id, items, group_size, policy_versions }: DemoOptions): void {
  const whole = (value: number, from: number, to: number): boolean =>
    Number.isSafeInteger(value) && value >= from && value <= to
  const refuse = (what: string, hint: string): never => {
    throw new Problem('invalid', what, { hint })
  }
  if (!whole(seed, 0, 1e15)) refuse(`seed ${seed} is no whole number from 0`, 'give one, such as 1')
  if (!whole(items, 1, 10_000)) refuse(`items is ${items}`, 'give 1 to 10000')
  if (!whole(group_size, 1, 1024)) refuse(`group_size is ${group_size}`, 'give 1 to 1024')
  if (run_id === '' || run_id.length > 100)
    refuse('run_id must have 1 to 100 letters', 'give a short name, such as demo-rl')
  const known = policy_versions.every((version) => whole(version, 0, RATES.length - 1))
  const distinct = new Set(policy_versions).size === policy_versions.length
  if (policy_versions.length === 0 || !known || !distinct) {
    refuse(
      `policy_versions is [${policy_versions.join(', ')}]`,
      `give some of ${RATES.map((_, version) => version).join(', ')}, each once`,
    )
  }
}

/** E1 to E6 and WRONG_TOOL; then what is no code of a call. */
function rates(
  [E1, E2, E3, E4, E5, E6, WRONG_TOOL]: readonly [number, number, number, number, number, number, number],
  [no_tool, malformed, repetition, rambles]: readonly [number, number, number, number],
): NoiseRates {
  return { E1, E2, E3, E4, E5, E6, WRONG_TOOL, no_tool, malformed, repetition, rambles }
}
