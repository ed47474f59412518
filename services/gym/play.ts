import { setImmediate } from 'node:timers/promises'
import { Problem } from '#services/problem.ts'
import { chartTool, chartToolPlace } from './chart-tool.ts'
import { maxTurns, playedRollout } from './episode.ts'
import { gymEvent, instant } from '#services/gym/loop/event.ts'
import { fourDigits, gymItem } from './item.ts'
import { outcomeOf, stepMetrics, summary } from './metrics.ts'
import { skills } from './policy.ts'
import { random } from './random.ts'
import { vistaRewardVersion } from '#services/gym/loop/reward.ts'
import { maxCompletionTokens } from './step.ts'
import { tokenRule } from '#services/gym/loop/tokens.ts'
import type { GymEvent } from '#services/gym/loop/event.ts'
import type { GymItem } from './item.ts'
import type { Outcome } from './metrics.ts'

/** What to play. The defaults make 20 x 8 x 3 = 480 trajectories. */
export type PlayOptions = {
  readonly seed: number
  readonly run_id: string
  /** How many items, 1 to 10,000. */
  readonly items: number
  /** Rollouts of each item by each policy version, 1 to 1,024. */
  readonly group_size: number
  /** Which scripted versions, in the order they are published. Train step = version. */
  readonly policy_versions: readonly number[]
}

export const demoPlay: PlayOptions = {
  seed: 1,
  run_id: 'demo-rl',
  items: 20,
  group_size: 8,
  policy_versions: [0, 1, 2],
}

/** A picture to be put under its hash; an item's picture comes with the item's events. */
export type PlayedImage = { readonly image_id: string; readonly media_type: 'image/png'; readonly bytes: Uint8Array }

/** What a part of the play is about, for showing progress. */
export type PlayedAbout = { readonly trajectories_done: number; readonly trajectories_total: number } & (
  | { readonly phase: 'run_started' | 'run_finished' }
  | { readonly phase: 'item'; readonly item_id: string; readonly question: string }
  | {
      readonly phase: 'group'
      readonly item_id: string
      readonly question: string
      readonly policy_version: number
      readonly group_id: string
      readonly rollouts: readonly {
        trajectory_id: string
        reward: number
        correct: boolean
        n_steps: number
        status: string
      }[]
    }
  | {
      readonly phase: 'train_step'
      readonly policy_version: number
      readonly accuracy: number
      readonly mean_reward: number
    }
)

export type PlayedPart = {
  readonly events: readonly GymEvent[]
  readonly images: readonly PlayedImage[]
  readonly about: PlayedAbout
}

/** 2026-01-05T09:00:00Z. All times of a play are simulated from here; the real clock is never read. */
const epochMs = Date.UTC(2026, 0, 5, 9)
const trainStepMs = 2 * 60 * 60 * 1000
const groupMs = 20 * 1000

/**
 * Plays a run of the bar-chart room, part by part: the run, each item with its picture, then for each policy
 * version each item's group (its rollouts interleaved as they would be in time) and the step's metrics.
 * The same options give the same events and bytes on every machine. Throws a Problem on senseless options.
 */
export async function* playRun(options: PlayOptions): AsyncGenerator<PlayedPart> {
  checkOptions(options)
  const { run_id, policy_versions } = options
  const total = options.items * options.group_size * policy_versions.length
  let done = 0
  const progress = () => ({ trajectories_done: done, trajectories_total: total })
  yield { events: [runStarted(options)], images: [], about: { phase: 'run_started', ...progress() } }

  const items: GymItem[] = []
  for (let index = 0; index < options.items; index++) {
    const { item, picture } = gymItem(options.seed, index)
    items.push(item)
    const images = [{ image_id: picture.sha256, media_type: 'image/png', bytes: picture.bytes }] as const
    const about = { phase: 'item', item_id: item.item_id, question: item.question.text, ...progress() } as const
    yield { events: itemEvents(item, picture), images, about }
    // Drawing and playing are synchronous; a server in the same process gets its turn between parts.
    await setImmediate()
  }
  let ended = epochMs
  for (const version of policy_versions) {
    const stepStart = epochMs + version * trainStepMs
    const published = gymEvent('policy.published', stepStart, {
      run_id,
      policy_version: version,
      train_step: version,
      substep: 0,
    })
    const played: Outcome[] = []
    for (const item of items) {
      const group = playedGroup(options, item, version, stepStart + 1000 + item.index * groupMs)
      played.push(...group.rollouts.map(outcomeOf))
      done += group.rollouts.length
      const events = item.index === 0 ? [published, ...group.events] : group.events
      yield { events, images: [], about: { ...group.about, ...progress() } }
      await setImmediate()
    }
    ended = played.reduce((last, outcome) => Math.max(last, outcome.ended_ms), ended)
    yield {
      events: stepMetrics(run_id, version, played, ended),
      images: [],
      about: { phase: 'train_step', policy_version: version, ...summary(played), ...progress() },
    }
  }
  const finished = gymEvent('run.finished', ended + 1000, {
    run_id,
    status: 'completed',
    ended_at: instant(ended + 1000),
  })
  yield { events: [finished], images: [], about: { phase: 'run_finished', ...progress() } }
}

function checkOptions({ seed, run_id, items, group_size, policy_versions }: PlayOptions): void {
  const whole = (value: number, from: number, to: number): boolean =>
    Number.isSafeInteger(value) && value >= from && value <= to
  const refuse = (what: string, hint: string): never => {
    throw new Problem('invalid', what, { hint })
  }
  if (!Number.isSafeInteger(seed)) refuse(`seed ${seed} is not a whole number`, 'give a whole number, such as 1')
  if (!whole(items, 1, 10_000)) refuse(`items is ${items}`, 'give 1 to 10000')
  if (!whole(group_size, 1, 1024)) refuse(`group_size is ${group_size}`, 'give 1 to 1024')
  if (run_id === '' || run_id.length > 200)
    refuse('run_id must have 1 to 200 letters', 'give a short name, such as demo-rl')
  const known = policy_versions.every((version) => whole(version, 0, skills.length - 1))
  const distinct = new Set(policy_versions).size === policy_versions.length
  if (policy_versions.length === 0 || !known || !distinct) {
    refuse(
      `policy_versions is [${policy_versions.join(', ')}]`,
      `give some of ${skills.map((_, version) => version).join(', ')}, each once`,
    )
  }
}

function runStarted(options: PlayOptions): GymEvent {
  return gymEvent('run.started', epochMs, {
    run_id: options.run_id,
    kind: 'rl',
    base_model: 'scripted',
    algorithm: 'none',
    reward_version: vistaRewardVersion,
    reward_config: { formula: 'rep + format + correct', needs_tool_call: false },
    correct_threshold: 2,
    tool_set: [chartTool.function.name],
    dataset_mix: { 'stepstore-bar-chart': 1 },
    group_size: options.group_size,
    max_turns: maxTurns,
    max_response_tokens: maxTurns * maxCompletionTokens,
    seed: options.seed,
    started_at: instant(epochMs),
    config: {
      items: options.items,
      policy_versions: options.policy_versions,
      policy: 'scripted: skill rises with the version, nothing is trained',
      tokens: tokenRule,
      clock: 'simulated',
    },
  })
}

function itemEvents(item: GymItem, picture: { bytes: Uint8Array; width: number; height: number }): GymEvent[] {
  const { question, chart } = item
  const image = gymEvent('image.registered', epochMs + 1 + item.index, {
    image_id: item.image_id,
    media_type: 'image/png',
    width: picture.width,
    height: picture.height,
    bytes: picture.bytes.length,
    role: 'question',
  })
  const registered = gymEvent('item.registered', epochMs + 1 + item.index, {
    item_id: item.item_id,
    dataset: 'stepstore-bar-chart',
    family: chartToolPlace.family,
    split: 'train',
    distribution: 'id',
    question: question.text,
    question_type: question.query.kind,
    answer: [...question.answer],
    answer_type: question.answer_type,
    choices: [...(question.choices ?? [])],
    image_ids: [item.image_id],
    metadata: {
      room: 'bar-chart',
      seed: item.seed,
      index: item.index,
      query: question.query,
      chart: {
        title: chart.title,
        measure: chart.topic.measure,
        unit: chart.topic.unit,
        labels: chart.labels,
        values: chart.values,
      },
    },
  })
  return [image, registered]
}

function playedGroup(options: PlayOptions, item: GymItem, version: number, startMs: number) {
  const { seed, run_id, group_size } = options
  const group_id = `${run_id}/v${version}/${fourDigits(item.index)}`
  const start = random(seed, 'item', item.index, 'policy', version, 'starts')
  const rollouts = Array.from({ length: group_size }, (_, rollout_index) =>
    playedRollout({
      item,
      run_id,
      policy_version: version,
      group_id,
      group_size,
      rollout_index,
      started_ms: startMs + start.int(0, 400),
    }),
  )
  // Stable: what happens to one rollout at the same instant stays in its order.
  const events = rollouts
    .flatMap((rollout) => rollout.events)
    .toSorted((left, right) => Date.parse(left.time) - Date.parse(right.time))
  const about = {
    phase: 'group',
    item_id: item.item_id,
    question: item.question.text,
    policy_version: version,
    group_id,
    rollouts: rollouts.map(({ trajectory_id, score, n_steps, status }) => ({
      trajectory_id,
      reward: score.reward,
      correct: score.answer_match,
      n_steps,
      status,
    })),
  } as const
  return { events, rollouts, about }
}
