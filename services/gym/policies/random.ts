import { random, type Random } from '#services/gym/random.ts'
import type { ToolDefinition } from '#services/gym/tools/tool.ts'
import { turnText, type PolicySource } from './source.ts'

/** Calls any tool, answers anything: what is reached without looking. `tools` false: answers at once. */
export function randomPolicies(
  definitions: readonly ToolDefinition[],
  options: { tools?: boolean } = {},
): PolicySource {
  return {
    actor_model: 'random',
    sampling: { policy: 'random', tools: options.tools !== false },
    policy: ({ seed, item_id, policy_version, rollout_index }) => {
      const chance = random(seed, 'random policy', item_id, policy_version, rollout_index)
      return {
        turn: async ({ question, choices, turns_left }) => {
          if (options.tools !== false && turns_left > 1 && definitions.length > 0 && chance.chance(0.5))
            return { raw: turnText('Let me see.', { call: anyCall(definitions, chance) }) }
          return { raw: turnText('I guess.', { answer: anyAnswer(question, choices, chance) }) }
        },
      }
    },
  }
}

function anyCall(definitions: readonly ToolDefinition[], chance: Random): Readonly<Record<string, unknown>> {
  const { name, tasks } = chance.pick(definitions)
  return { tool: name, task: chance.pick(Object.keys(tasks)), arguments: {} }
}

/** A guess that knows the form of an answer and nothing else. */
export function anyAnswer(question: string, choices: readonly string[], chance: Random): string {
  if (choices.length > 0) return chance.pick(choices)
  if (/^\s*(?:is|are|does|do|did|has|have|was|were|can|will)\b/i.test(question)) return chance.pick(['yes', 'no'])
  if (/how many/i.test(question)) return String(chance.int(0, 10))
  const words = question.match(/\p{Lu}\p{L}+/gu) ?? []
  return words.length > 0 && chance.chance(0.5) ? chance.pick(words) : String(chance.int(0, 100))
}
