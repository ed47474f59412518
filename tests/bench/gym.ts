/** The gym: how fast pictures are drawn, and what 1,000 episodes in flight cost beside the time of their tools. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { experts, kinds } from '#services/gym/items/families.ts'
import { generatedItem } from '#services/gym/items/generated.ts'
import { chosenInStream } from '#services/gym/items/kinds.ts'
import { realClock } from '#services/gym/loop/clock.ts'
import { openGym } from '#services/gym/loop/episodes.ts'
import type { Gym, Reset } from '#services/gym/loop/gym.ts'
import { expertPolicies } from '#services/gym/policies/expert.ts'
import type { Heard } from '#services/gym/policies/policy.ts'
import { openSpool } from '#services/gym/publish/spool.ts'
import { openTools } from '#services/gym/tools/open.ts'
import type { Tools } from '#services/gym/tools/tools.ts'
import { silent } from '#services/logger.ts'
import type { Scale } from './ingest.ts'
import { type Figure, median, quantile, say, short } from './report.ts'

const PICTURES_A_SECOND = 30
const STEP_MS = 5
const EPISODES = 1_000
/** Rollouts of one item, as in the paper: their tools are asked the same, and a call that was answered is answered again. */
const GROUP = 8

/** Both figures. */
export async function gymFigures({ rounds, quick = false }: Scale): Promise<Figure[]> {
  const drawn = Array.from({ length: rounds }, (_, round) => picturesASecond(round, quick ? 5 : 20))
  say(`gym: ${short(median(drawn))} pictures/s on one thread, over ${kinds.length} kinds`)
  const played = await inFlight(quick ? 80 : EPISODES)
  return [
    {
      name: 'pictures a second',
      value: median(drawn),
      target: PICTURES_A_SECOND,
      detail: 'scene, SVG and PNG of all kinds and levels in turn, one thread',
    },
    {
      name: 'gym beside the tools, a step',
      value: played.own,
      target: STEP_MS,
      better: 'less',
      unit: ' ms',
      detail: `processor time of the gym's thread; ${played.episodes} episodes in flight, ${played.steps} steps in ${short(played.seconds)} s`,
    },
    {
      name: 'an answer, no tool called: p95',
      value: played.answerP95,
      better: 'less',
      unit: ' ms',
      detail: `with ${played.episodes} in flight; tools took ${short(played.toolMs)} ms a call (middle), ${short(played.cached * 100)} % answered again`,
    },
    { name: 'memory of it all', value: played.rssMb, better: 'less', unit: ' MB', detail: 'resident, tools included' },
  ]
}

function picturesASecond(seed: number, ofEach: number): number {
  const began = performance.now()
  let drawn = 0
  for (const { kind } of kinds)
    for (let index = 0; index < ofEach; index++, drawn++)
      generatedItem(chosenInStream(kinds, { kind, seed, split: 'train', style: 'ordinary' }, index))
  return (drawn / (performance.now() - began)) * 1000
}

interface Played {
  readonly episodes: number
  readonly steps: number
  readonly seconds: number
  /** Milliseconds of the gym's thread a step. */
  readonly own: number
  readonly answerP95: number
  readonly toolMs: number
  readonly cached: number
  readonly rssMb: number
}

async function inFlight(episodes: number): Promise<Played> {
  const folder = await mkdtemp(join(tmpdir(), 'stepstore-bench-gym-'))
  const { tools, times } = timed(openTools())
  const spool = await openSpool({ folder, outlet: { putImage: async () => {}, send: async () => {} }, logger: silent })
  let ids = 0
  const gym = openGym({
    kinds,
    tools,
    recorder: spool,
    clock: realClock(),
    run_id: 'bench',
    newId: () => String((ids += 1)),
    logger: silent,
    episodes_max: episodes,
  })
  try {
    const begun: Reset[] = []
    for (let place = 0; place < episodes; place++)
      begun.push(await gym.reset({ index: Math.floor(place / GROUP), seed: 9, split: 'test' }))
    if (gym.counts().episodes_open !== episodes) throw new Error('not all episodes are in flight')
    const began = performance.now()
    const before = performance.eventLoopUtilization()
    const answers: number[] = []
    await Promise.all(begun.map((reset) => solved(gym, reset, answers)))
    const { active } = performance.eventLoopUtilization(before)
    const { steps } = gym.counts()
    return {
      episodes,
      steps,
      seconds: (performance.now() - began) / 1000,
      own: active / steps,
      answerP95: quantile(
        answers.toSorted((left, right) => left - right),
        0.95,
      ),
      toolMs: median(times.ran),
      cached: times.again / Math.max(1, times.again + times.ran.length),
      rssMb: process.memoryUsage.rss() / 2 ** 20,
    }
  } finally {
    await gym.close()
    await spool.close()
    await tools.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Plays one episode by its family's expert; the time of each answer goes to `answers`. */
async function solved(gym: Gym, reset: Reset, answers: number[]): Promise<void> {
  const { family, item_id, question, choices, observation } = reset
  const facts = { seed: 0, item_id, family, policy_version: 0, rollout_index: 0, first_id: reset.episode_id }
  const policy = expertPolicies(experts).policy(facts)
  const heard: Heard[] = []
  const signal = new AbortController().signal
  for (let turns = observation.turns_left; turns > 0; turns--) {
    const seen = { family, question, choices, image_ids: observation.image_ids, messages: [], heard, turns_left: turns }
    const written = await policy.turn(seen, signal)
    const began = performance.now()
    const step = await gym.step(reset.episode_id, written)
    if (step.action_kind === 'answer') answers.push(performance.now() - began)
    if (step.heard !== null) heard.push(step.heard)
    if (step.done) return
  }
}

/** The same tools, with what their calls took. */
function timed(tools: Tools): { readonly tools: Tools; readonly times: { readonly ran: number[]; again: number } } {
  const times = { ran: [] as number[], again: 0 }
  const call: Tools['call'] = async (...given) => {
    const result = await tools.call(...given)
    if (result.cache_hit) times.again += 1
    else times.ran.push(result.latency_ms)
    return result
  }
  const { definitions, schemas } = tools
  return { tools: { definitions, schemas, call, close: () => tools.close() }, times }
}
