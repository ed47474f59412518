/** The registry of tools as the batch API tells it. */
import type { GymTools } from '#schemas/http-gym.ts'
import { FAMILIES } from '#services/gym/items/item.ts'
import type { Gym } from '#services/gym/loop/gym.ts'
import { isOffered, nameOf } from '#services/gym/tools/offered.ts'

/** GET /v1/gym/tools. */
export function toolList({ tools, definitions }: Pick<Gym, 'tools' | 'definitions'>): GymTools {
  const callable = new Set(tools.map(nameOf))
  return {
    tools: definitions.map((definition) => {
      const { tasks, subset, name, ...about } = definition
      return {
        name,
        subset,
        ...about,
        aliases: [...about.aliases],
        callable: callable.has(name),
        offered_to: FAMILIES.filter((family) => isOffered(definition, family)),
        tasks: Object.entries(tasks).map(([task, each]) => ({
          task,
          subset: each.subset ?? subset,
          description: each.description,
          arguments: each.arguments,
          output: each.output,
        })),
      }
    }),
  }
}
