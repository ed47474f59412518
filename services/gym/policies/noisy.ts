/** An expert that errs on purpose, at chosen rates, and says so: ground truth for the diagnosis. */
import { random, type Random } from '#services/gym/random.ts'
import type { ToolDefinition } from '#services/gym/tools/tool.ts'
import { expertOf } from './expert.ts'
import { brokenCall, offTarget, wrongTool, wrongName, wrongValue } from './noisy-calls.ts'
import { malformedTurn, rambling, stuckTurn } from './noisy-words.ts'
import type { ExpertMove, Policy, WrittenTurn } from './policy.ts'
import { anyAnswer } from './random.ts'
import { callOf, turnText, writtenMove, type Experts, type PolicySource, type RolloutFacts } from './source.ts'

/** The faults that a noisy policy makes. All but `malformed`, `repetition`, `no_tool` and `rambles` are codes of annotations. */
export const noises = [
  'E1',
  'E2',
  'E3',
  'E4',
  'E5',
  'E6',
  'WRONG_TOOL',
  'no_tool',
  'malformed',
  'repetition',
  'rambles',
] as const
export type Noise = (typeof noises)[number]

/**
 * Each a share of rollouts, 0 to 1; left out is 0. E1 to E5 and WRONG_TOOL befall the first call and exclude each other,
 * so they may add up to 1 at most.
 */
export type NoiseRates = Readonly<Partial<Record<Noise, number>>>

const callNoises = ['E1', 'E2', 'E3', 'E4', 'E5', 'WRONG_TOOL'] as const
type CallNoise = (typeof callNoises)[number]

/** The noisy expert. `versions` gives the rates of each policy version; the last ones hold for all further versions. */
export function noisyPolicies(
  experts: Experts,
  definitions: readonly ToolDefinition[],
  versions: readonly NoiseRates[],
): PolicySource {
  return {
    actor_model: 'scripted-noisy',
    sampling: { policy: 'noisy', rates: versions },
    policy: (rollout) =>
      noisyPolicy(experts, definitions, versions[Math.min(rollout.policy_version, versions.length - 1)] ?? {}, rollout),
  }
}

function noisyPolicy(
  experts: Experts,
  definitions: readonly ToolDefinition[],
  rates: NoiseRates,
  rollout: RolloutFacts,
): Policy {
  const { seed, item_id, policy_version, rollout_index } = rollout
  const expert = expertOf(experts, rollout.family)
  // What happens is drawn apart from how: other words never change what fails.
  const what = random(seed, 'noisy policy', item_id, policy_version, rollout_index, 'what')
  const how = random(seed, 'noisy policy', item_id, policy_version, rollout_index, 'how')
  const plan = {
    call: drawnCallNoise(rates, what),
    skips: what.chance(rates.no_tool ?? 0),
    wrong: what.chance(rates.E6 ?? 0),
    malformed: what.chance(rates.malformed ?? 0),
    stuck: what.chance(rates.repetition ?? 0),
    rambles: what.chance(rates.rambles ?? 0),
  }
  let calls = 0
  return {
    turn: async ({ question, choices, heard, turns_left }) => {
      const guess = (): ExpertMove => ({ think: 'I go by what I see.', answer: anyAnswer(question, choices, how) })
      const wanted = plan.skips
        ? guess()
        : expert(
            question,
            choices,
            heard.filter(({ ok }) => ok),
          )
      // With one turn left another call would tell nobody anything.
      const move = 'tool' in wanted && turns_left === 1 ? guess() : wanted
      const aside = plan.rambles ? ` ${rambling(how)}` : ''
      if ('tool' in move) {
        const noise = calls++ === 0 ? plan.call : null
        return calledWith(noise, { ...move, think: move.think + aside }, definitions, how)
      }
      return answeredWith(plan, { ...move, think: move.think + aside }, question, choices, how)
    },
  }
}

/** At most one fault of the first call, so that each keeps its share. */
function drawnCallNoise(rates: NoiseRates, chance: Random): CallNoise | null {
  let drawn = chance.next()
  for (const noise of callNoises) {
    drawn -= rates[noise] ?? 0
    if (drawn < 0) return noise
  }
  return null
}

/** A call with a fault; one that cannot be made there (a tool without arguments has no wrong value) is not claimed. */
function calledWith(
  noise: CallNoise | null,
  move: Extract<ExpertMove, { tool: string }>,
  definitions: readonly ToolDefinition[],
  chance: Random,
): WrittenTurn {
  const call = callOf(move)
  const made = {
    E1: () => brokenCall(move, chance),
    E2: () => wrongName(move, chance),
    E3: () => wrongValue(move, definitions, chance),
    E4: () => offTarget(move, definitions, chance),
    E5: () => call,
    WRONG_TOOL: () => wrongTool(move, definitions, chance),
  }
  const faulty = noise === null ? null : made[noise]()
  if (noise === null || faulty === null) return { raw: turnText(move.think, { call }) }
  return { raw: turnText(move.think, { call: faulty }), injected: [noise] }
}

function answeredWith(
  plan: { readonly wrong: boolean; readonly malformed: boolean; readonly stuck: boolean },
  move: Extract<ExpertMove, { answer: string }>,
  question: string,
  choices: readonly string[],
  chance: Random,
): WrittenTurn {
  const answer = plan.wrong ? wrongAnswer(move.answer, question, choices, chance) : move.answer
  const injected = plan.wrong ? ['E6'] : []
  if (plan.stuck) return { raw: stuckTurn(move.think, answer, chance), injected }
  if (plan.malformed) return { raw: malformedTurn(move.think, answer, chance), injected }
  return { raw: writtenMove({ think: move.think, answer }), injected }
}

/** Another answer of the same form. */
function wrongAnswer(answer: string, question: string, choices: readonly string[], chance: Random): string {
  const others = choices.filter((choice) => choice !== answer)
  if (others.length > 0) return chance.pick(others)
  if (/^yes$/i.test(answer)) return 'no'
  if (/^no$/i.test(answer)) return 'yes'
  const number = Number(answer.replaceAll(',', ''))
  if (answer.trim() !== '' && Number.isFinite(number))
    return String(Number((number + chance.pick([-2, -1, 1, 2, 10]) * (Math.abs(number) >= 50 ? 5 : 1)).toFixed(4)))
  const guess = anyAnswer(question, [], chance)
  return guess === answer ? `not ${answer}` : guess
}
