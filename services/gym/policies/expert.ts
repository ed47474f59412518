import { Problem } from '#services/problem.ts'
import type { Expert } from './policy.ts'
import { writtenMove, type Experts, type PolicySource } from './source.ts'
import type { Family } from '#services/gym/items/item.ts'

/** Solves by tools, family by family, from the question's words and what the tools said. */
export function expertPolicies(experts: Experts): PolicySource {
  return {
    actor_model: 'scripted-expert',
    sampling: { policy: 'expert' },
    policy: ({ family }) => {
      const expert = expertOf(experts, family)
      return {
        turn: async ({ question, choices, heard }) => ({ raw: writtenMove(expert(question, choices, heard)) }),
      }
    },
  }
}

/** Throws `invalid` for a family without an expert. */
export function expertOf(experts: Experts, family: Family): Expert {
  const expert = experts[family]
  if (expert !== undefined) return expert
  throw new Problem('invalid', `there is no expert of the family ${family}`, {
    hint: `there are experts of ${Object.keys(experts).join(', ')}`,
  })
}
