import { nearest } from '#services/core/nearest.ts'
import { Problem } from '#services/problem.ts'
import { isDeeperThan } from '#services/gym/depth.ts'
import { FAMILIES, type ItemKind } from '#services/gym/items/item.ts'
import { chosenById, chosenInStream, familiesOf, wordOf, type Chosen } from '#services/gym/items/kinds.ts'
import { TOOL_OFFERS, type ToolOffer } from '#services/gym/tools/offered.ts'
import type { ResetOptions } from './gym.ts'
import { rewardVersionNamed, type RewardVersion } from './reward-versions.ts'
import type { FormatRule } from './turn-grammar.ts'

/** Options of a reset, checked, with their defaults. */
export type Settings = {
  readonly chosen: Chosen
  readonly run_id: string
  readonly policy_version: number
  readonly trajectory_id: string | undefined
  /** What is only recorded. */
  readonly recorded: Pick<
    ResetOptions,
    | 'group_id'
    | 'group_size'
    | 'rollout_index'
    | 'train_step'
    | 'actor_model'
    | 'sampling'
    | 'derived_from_trajectory_id'
  >
  /** Turns in all, the answer included. */
  readonly turns_max: number
  readonly max_turns: number
  readonly turn_limit: 'turns' | 'tool_turns'
  readonly format: FormatRule
  readonly needs_tool_call: boolean
  readonly tools: ToolOffer
  readonly observation_chars_max: number
  readonly observation_cut: 'start' | 'end'
  readonly reward: RewardVersion
}

type Rule = (name: string, value: unknown) => unknown

const whole =
  (from: number, to: number): Rule =>
  (name, value) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= from && value <= to
      ? value
      : refuse(name, value, `a whole number from ${from} to ${to}`)
const text: Rule = (name, value) =>
  typeof value === 'string' &&
  value !== '' &&
  Buffer.byteLength(value) <= 256 &&
  value.isWellFormed() &&
  // oxlint-disable-next-line no-control-regex -- ids are refused that the log would refuse.
  !/[\u0000-\u001f\u007f-\u009f]/.test(value)
    ? value
    : refuse(name, value, 'a text of 1 to 256 bytes without control characters')
const flag: Rule = (name, value) => (typeof value === 'boolean' ? value : refuse(name, value, 'true or false'))
const oneOf =
  (...known: readonly string[]): Rule =>
  (name, value) =>
    typeof value === 'string' && known.includes(value) ? value : refuse(name, value, known.join(' or '))
/** Settings that are only recorded, as an object of at most so many letters and levels. */
const settingsMax = { letters: 16_384, levels: 8 }
const object: Rule = (name, value) =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !isDeeperThan(value, settingsMax.levels) &&
  JSON.stringify(value).length <= settingsMax.letters
    ? value
    : refuse(name, value, `an object of at most ${settingsMax.letters} letters, ${settingsMax.levels} levels deep`)

const rules: { readonly [Name in keyof ResetOptions]-?: Rule } = {
  item_id: text,
  kind: text,
  family: oneOf(...FAMILIES),
  seed: whole(0, 1e15 - 1),
  split: oneOf('train', 'test'),
  index: whole(0, 1e9 - 1),
  level: whole(0, 999),
  style: oneOf('ordinary', 'unseen'),
  run_id: text,
  policy_version: whole(0, Number.MAX_SAFE_INTEGER),
  group_id: text,
  group_size: whole(1, 1_000_000),
  rollout_index: whole(0, 1_000_000),
  train_step: whole(0, Number.MAX_SAFE_INTEGER),
  trajectory_id: text,
  actor_model: text,
  sampling: object,
  derived_from_trajectory_id: text,
  max_turns: whole(1, 32),
  turn_limit: oneOf('turns', 'tool_turns'),
  format: oneOf('strict', 'lenient'),
  needs_tool_call: flag,
  tools: oneOf(...TOOL_OFFERS),
  observation_chars_max: whole(64, 65_536),
  observation_cut: oneOf('start', 'end'),
  reward_version: text,
}

/** The names of all reset options. */
export const resetOptionNames: readonly string[] = Object.keys(rules)

/** Checks reset options. A null counts as left out. Throws `invalid`, naming what is wrong and the nearest known option. */
export function settingsOf(
  given: Readonly<Record<string, unknown>>,
  kinds: readonly ItemKind[],
  defaults: { readonly run_id: string },
): Settings {
  const options = checked(given)
  const reward = rewardVersionNamed(options.reward_version ?? 'vista-1')
  if (reward.needs_group) {
    throw new Problem('invalid', `${reward.name} needs the whole group, so no episode can be paid by it`, {
      hint: 'play with vista-1, then: stepstore gym rescore --run R --reward-version vista-1-difficulty',
    })
  }
  const max_turns = options.max_turns ?? 3
  const turn_limit = options.turn_limit ?? 'turns'
  return {
    chosen: chosenOf(options, kinds),
    run_id: options.run_id ?? defaults.run_id,
    policy_version: options.policy_version ?? 0,
    trajectory_id: options.trajectory_id,
    recorded: recordedOf(options),
    turns_max: turn_limit === 'turns' ? max_turns : max_turns + 1,
    max_turns,
    turn_limit,
    format: options.format ?? 'strict',
    needs_tool_call: options.needs_tool_call ?? false,
    tools: options.tools ?? 'family',
    observation_chars_max: options.observation_chars_max ?? 8192,
    observation_cut: options.observation_cut ?? 'end',
    reward,
  }
}

function checked(given: Readonly<Record<string, unknown>>): ResetOptions {
  const options: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    const rule: Rule | undefined = Object.hasOwn(rules, name) ? rules[name as keyof ResetOptions] : undefined
    if (rule === undefined) {
      const near = nearest(name, resetOptionNames)
      throw new Problem('invalid', `unknown reset option ${JSON.stringify(name.slice(0, 60))}`, {
        hint: `${near === undefined ? '' : `did you mean ${near}? `}The options are ${resetOptionNames.join(', ')}`,
      })
    }
    if (value !== null && value !== undefined) options[name] = rule(name, value)
  }
  return options as ResetOptions
}

function chosenOf(options: ResetOptions, kinds: readonly ItemKind[]): Chosen {
  const { item_id, kind, family } = options
  if (item_id !== undefined) {
    const beside = (['kind', 'family', 'seed', 'split', 'index', 'level', 'style'] as const).filter(
      (name) => options[name] !== undefined,
    )
    if (beside.length > 0) {
      throw new Problem('invalid', `item_id says already what ${beside.join(', ')} would`, {
        hint: 'give item_id alone, or leave it out',
      })
    }
    return chosenById(kinds, item_id)
  }
  if (kind !== undefined && family !== undefined && !kind.startsWith(`${family}/`)) {
    throw new Problem('invalid', `${kind} is no kind of the family ${family}`, {
      hint: 'give kind or family, not both',
    })
  }
  return chosenInStream(
    kinds,
    {
      ...(kind === undefined ? {} : { kind }),
      ...(family === undefined ? {} : { families: familiesOf(family) }),
      seed: options.seed ?? 0,
      split: wordOf('split', options.split ?? 'train'),
      style: wordOf('style', options.style ?? 'ordinary'),
      ...(options.level === undefined ? {} : { level: options.level }),
    },
    options.index ?? 0,
  )
}

function recordedOf(options: ResetOptions): Settings['recorded'] {
  const names = [
    'group_id',
    'group_size',
    'rollout_index',
    'train_step',
    'actor_model',
    'sampling',
    'derived_from_trajectory_id',
  ] as const
  return Object.fromEntries(names.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])))
}

function refuse(name: string, value: unknown, wanted: string): never {
  const shown =
    typeof value === 'object' && value !== null ? 'an object or a list' : JSON.stringify(value)?.slice(0, 80)
  throw new Problem('invalid', `reset option ${name} is ${shown}`, { hint: `give ${wanted}` })
}
