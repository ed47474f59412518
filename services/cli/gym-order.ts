/** What `gym run` was asked for, checked before anything is started. */
import { availableParallelism } from 'node:os'
import { misuse } from '#services/config.ts'
import { nearest } from '#services/core/nearest.ts'
import { risingDifficulty, type Difficulty } from '#services/gym/items/difficulty.ts'
import { familiesOf, wordOf, type StreamChoice } from '#services/gym/items/kinds.ts'
import { realClock, simulatedClock, type GymClock } from '#services/gym/loop/clock.ts'
import type { RunFacts } from '#services/gym/loop/episode-events.ts'
import { rewardVersionNamed } from '#services/gym/loop/reward-versions.ts'
import { tokenRule } from '#services/gym/loop/tokens.ts'
import { noises, type NoiseRates } from '#services/gym/policies/noisy.ts'
import { nameOf, TOOL_OFFERS } from '#services/gym/tools/offered.ts'
import type { Tools } from '#services/gym/tools/tools.ts'
import type { OptionSpec } from './arguments.ts'
import type { CommandContext } from './command.ts'

export const RUN_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  policy: { value: 'NAME', description: 'expert, noisy, random, replay or openai:<url> (default expert)' },
  run: { value: 'NAME', description: 'the run (default: gym-<policy>-<split>-<seed>)' },
  families: {
    value: 'LIST',
    description: 'chart, geometry, geospatial, scientific, document, spatial, others; default all',
  },
  kind: { value: 'NAME', description: 'one kind of question instead of families, such as chart/yes-no' },
  items: { value: 'N', description: 'how many items (default 14)' },
  'group-size': { value: 'G', description: 'rollouts of each item (default 1)' },
  seed: { value: 'N', description: 'the seed of items and scripted policies (default 0)' },
  split: { value: 'NAME', description: 'train or test (default train)' },
  style: { value: 'NAME', description: 'ordinary, or unseen: fonts and styles that no tool was tuned on' },
  level: { value: 'N', description: 'how hard, from 0; rising: with the pass rate (default: all levels in turn)' },
  'policy-version': { value: 'N', description: 'the version of the policy that acts (default 0)' },
  'max-turns': { value: 'N', description: 'turns of a rollout (default 3)' },
  'turn-limit': { value: 'NAME', description: 'turns: the answer counts too (default); tool_turns: it does not' },
  format: { value: 'NAME', description: 'strict (default), or lenient as in the released environment' },
  tools: { value: 'NAME', description: "which tools the prompt names: those for the item's family (default), or all" },
  'needs-tool-call': { description: 'an answer without any tool call is malformed' },
  'reward-version': { value: 'NAME', description: 'the reward that is paid (default vista-1)' },
  rates: {
    value: 'LIST',
    description: `noisy: shares of rollouts by fault, such as E1=0.1,E6=0.2; of ${noises.join(', ')}`,
  },
  from: { value: 'ID', description: 'replay: the run, or the trajectory, that is played again, all of it' },
  model: { value: 'NAME', description: 'openai: the model to ask for' },
  temperature: { value: 'T', description: 'openai: default 0.7' },
  'max-tokens': { value: 'N', description: 'openai: tokens of a turn (default 4096)' },
  budget: { value: 'N', description: 'openai: stop after so many tokens of prompts and answers' },
  retries: { value: 'N', description: 'openai: how often a failed request is sent again (default 5)' },
  concurrency: { value: 'N', description: 'episodes at once (default 16)' },
  clock: { value: 'NAME', description: 'real (default), or simulated: drawn from the seed, the same every time' },
}

/** The order. */
export type RunOrder = {
  readonly policy: 'expert' | 'noisy' | 'random' | 'replay' | 'openai'
  /** Of an endpoint. */
  readonly url: string
  readonly run_id: string
  readonly stream: StreamChoice
  readonly difficulty: Difficulty | undefined
  readonly items: number
  readonly group_size: number
  readonly policy_version: number
  readonly reset: Readonly<Record<string, unknown>>
  readonly rates: NoiseRates
  readonly from: string | undefined
  readonly openai: {
    readonly model: string
    readonly key: string | undefined
    readonly temperature?: number
    readonly max_tokens?: number
    readonly budget_tokens?: number
    readonly retries?: number
  }
  readonly concurrency: number
  readonly threads: number
  readonly clock: (now: () => number) => GymClock
  /** What the run is, once the tools are known. */
  readonly facts: (tools: Tools) => Omit<RunFacts, 'config'>
  readonly config: Readonly<Record<string, unknown>>
}

const POLICIES = ['expert', 'noisy', 'random', 'replay', 'openai'] as const
/** 2026-01-05T09:00:00Z: where simulated clocks begin. */
const EPOCH_MS = Date.UTC(2026, 0, 5, 9)
/** What a noisy policy does unless told otherwise. */
const NOISY: NoiseRates = { E1: 0.1, E2: 0.1, E3: 0.1, E4: 0.05, E5: 0.05, E6: 0.1, malformed: 0.05, repetition: 0.02 }

/** Reads the order. Throws misuse. */
export function readRunOrder(context: CommandContext): RunOrder {
  const { args } = context
  const [policy, url] = policyOf(args.text('policy') ?? 'expert')
  const seed = args.integer('seed') ?? 0
  const split = wordOf('split', args.text('split') ?? 'train')
  const isSimulated = word('clock', args.text('clock') ?? 'real', ['real', 'simulated']) === 'simulated'
  for (const name of ['model', 'temperature', 'max-tokens', 'budget', 'retries'])
    if (policy !== 'openai' && args.text(name) !== undefined)
      throw misuse(`--${name} is for --policy openai:<url>`, 'leave it out')
  for (const name of ['items', 'families', 'kind', 'style', 'level', 'group-size'])
    if (policy === 'replay' && args.text(name) !== undefined)
      throw misuse(
        `--${name} is not for --policy replay: everything of --from is played again`,
        'leave it out; --from takes one trajectory, too',
      )
  const run_id = args.text('run') ?? `gym-${policy}-${split}-${seed}`
  const group_size = bounded('group-size', args.integer('group-size') ?? 1, 1, 1024)
  const rules = rulesOf(context)
  return {
    policy,
    url,
    run_id,
    stream: streamOf(context, seed, split),
    difficulty: args.text('level') === 'rising' ? risingDifficulty() : undefined,
    items: bounded('items', args.integer('items') ?? 14, 1, 1_000_000),
    group_size,
    policy_version: args.integer('policy-version') ?? 0,
    reset: rules,
    rates: ratesOf(policy, args.text('rates')),
    from: fromOf(policy, args.text('from')),
    openai: openAiOf(context, policy),
    concurrency: bounded('concurrency', args.integer('concurrency') ?? 16, 1, 1000),
    threads: Math.max(1, Math.min(8, availableParallelism())),
    clock: (now) => (isSimulated ? simulatedClock(EPOCH_MS) : realClock(now)),
    facts: (tools) => ({
      run_id,
      kind: policy === 'expert' ? 'expert_synthesis' : split === 'test' ? 'eval' : 'rl',
      reward: rewardVersionNamed(rules.reward_version),
      needs_tool_call: rules.needs_tool_call,
      format: rules.format,
      max_turns: rules.turn_limit === 'turns' ? rules.max_turns : rules.max_turns + 1,
      group_size,
      seed,
      tool_set: tools.schemas.map(nameOf),
    }),
    config: {
      policy,
      split,
      turn_limit: rules.turn_limit,
      tools: rules.tools,
      tokens: tokenRule,
      clock: isSimulated ? 'simulated' : 'real',
    },
  }
}

/** What every episode of the run is held to. */
function rulesOf({ args }: CommandContext) {
  const reward = rewardVersionNamed(args.text('reward-version') ?? 'vista-1')
  return {
    max_turns: bounded('max-turns', args.integer('max-turns') ?? 3, 1, 32),
    turn_limit: word('turn-limit', args.text('turn-limit') ?? 'turns', ['turns', 'tool_turns']),
    format: word('format', args.text('format') ?? 'strict', ['strict', 'lenient']),
    needs_tool_call: args.flag('needs-tool-call'),
    tools: word('tools', args.text('tools') ?? 'family', TOOL_OFFERS),
    reward_version: reward.name,
  }
}

function policyOf(given: string): [RunOrder['policy'], string] {
  const [name = '', ...rest] = given.split(':')
  const found = POLICIES.find((known) => known === name)
  if (found === undefined) {
    const near = nearest(name, POLICIES)
    throw misuse(
      `there is no policy ${name.slice(0, 40)}`,
      near === undefined ? `the policies are ${POLICIES.join(', ')}` : `did you mean ${near}?`,
    )
  }
  const url = rest.join(':')
  if (found === 'openai' && !/^https?:\/\/./.test(url))
    throw misuse('--policy openai needs the URL of an endpoint', 'such as --policy openai:http://127.0.0.1:8000/v1')
  const { username = '', password = '', search = '' } = (found === 'openai' && URL.parse(url)) || {}
  if (username + password + search !== '')
    throw misuse('the URL of an endpoint bears no password and no query', 'set OPENAI_API_KEY')
  if (found !== 'openai' && url !== '')
    throw misuse(`--policy ${found} takes nothing after it`, `use --policy ${found}`)
  return [found, url]
}

function streamOf({ args }: CommandContext, seed: number, split: 'train' | 'test'): StreamChoice {
  const [kind, families, level] = [args.text('kind'), args.text('families'), args.text('level')]
  if (kind !== undefined && families !== undefined)
    throw misuse('--kind and --families exclude each other', 'give one of them')
  return {
    ...(kind === undefined ? { families: familiesOf(families ?? 'all') } : { kind }),
    seed,
    split,
    style: wordOf('style', args.text('style') ?? 'ordinary'),
    ...(level === undefined || level === 'rising' ? {} : { level: args.integer('level') ?? 0 }),
  }
}

function ratesOf(policy: RunOrder['policy'], text: string | undefined): NoiseRates {
  if (text === undefined) return NOISY
  if (policy !== 'noisy') throw misuse('--rates is for --policy noisy', 'leave it out')
  return Object.fromEntries(
    text.split(',').map((pair) => {
      const [name = '', value = ''] = pair.trim().split('=')
      const noise = noises.find((known) => known === name)
      const near = nearest(name, noises)
      if (noise === undefined)
        throw misuse(
          `--rates does not know ${name.slice(0, 40)}`,
          near === undefined ? `it knows ${noises.join(', ')}` : `did you mean ${near}?`,
        )
      const rate = Number(value)
      if (value === '' || !(rate >= 0 && rate <= 1))
        throw misuse(`--rates ${pair.slice(0, 40)} is no share`, `such as ${noise}=0.1`)
      return [noise, rate]
    }),
  )
}

function fromOf(policy: RunOrder['policy'], from: string | undefined): string | undefined {
  if (policy === 'replay' && from === undefined)
    throw misuse('--policy replay needs --from', 'give the run, or the trajectory, that is to be played again')
  if (policy !== 'replay' && from !== undefined) throw misuse('--from is for --policy replay', 'leave it out')
  return from
}

function openAiOf({ args, config }: CommandContext, policy: RunOrder['policy']): RunOrder['openai'] {
  const model = args.text('model')
  if (policy === 'openai' && model === undefined)
    throw misuse('--policy openai needs --model', 'give the name that the endpoint knows the model by')
  const temperature = args.text('temperature')
  if (temperature !== undefined && !(Number(temperature) >= 0 && Number(temperature) <= 2))
    throw misuse(`--temperature ${temperature.slice(0, 20)} is none`, 'use 0 to 2')
  const [maxTokens, budget, retries] = [args.integer('max-tokens'), args.integer('budget'), args.integer('retries')]
  return {
    model: model ?? '',
    key: policy === 'openai' ? config().openAiKey : undefined,
    ...(temperature === undefined ? {} : { temperature: Number(temperature) }),
    ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
    ...(budget === undefined ? {} : { budget_tokens: budget }),
    ...(retries === undefined ? {} : { retries }),
  }
}

function word<Known extends string>(name: string, given: string, known: readonly Known[]): Known {
  const found = known.find((one) => one === given)
  if (found !== undefined) return found
  throw misuse(`--${name} ${given.slice(0, 40)} is not known`, `use ${known.join(' or ')}`)
}

function bounded(name: string, value: number, from: number, to: number): number {
  if (value >= from && value <= to) return value
  throw misuse(`--${name} ${value} is not possible`, `use ${from} to ${to}`)
}
