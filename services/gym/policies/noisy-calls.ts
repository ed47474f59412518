/** Calls that are wrong in a known way. Null where that way is not open. */
import type { Random } from '#services/gym/random.ts'
import type { ToolDefinition } from '#services/gym/tools/tool.ts'
import type { ExpertMove } from './policy.ts'
import { callOf } from './source.ts'

type Move = Extract<ExpertMove, { tool: string }>
type Call = Readonly<Record<string, unknown>> | string

/** E1: breaks the form of a call. */
export function brokenCall(move: Move, chance: Random): Call {
  const call = callOf(move)
  return chance.pick<() => Call>([
    () => JSON.stringify(call).slice(0, -1),
    () => JSON.stringify(call).replaceAll('"', "'"),
    () => ({ task: move.task, arguments: move.arguments }),
    () => ({ ...call, arguments: [move.arguments] }),
    () => ({ ...call, image: 'image_0.png' }),
  ])()
}

/** E2: an argument that the tool does not know. */
export function wrongName(move: Move, chance: Random): Call {
  const name = chance.pick(['image_path', 'img', 'query_text', 'confidence_level'])
  return { ...callOf(move), arguments: { ...move.arguments, [name]: chance.pick(['image_0.png', 0.5, true]) } }
}

/** E3: a value that no argument of that name may have. */
export function wrongValue(move: Move, definitions: readonly ToolDefinition[], chance: Random): Call | null {
  const names = Object.keys(propertiesOf(move, definitions))
  if (names.length === 0) return null
  // An object with a name that nobody knows fits no argument that there is.
  return { ...callOf(move), arguments: { ...move.arguments, [chance.pick(names)]: { not: 'a value' } } }
}

/** E4: passes every check, and asks about something else: another place, another word, or another task. */
export function offTarget(move: Move, definitions: readonly ToolDefinition[], chance: Random): Call | null {
  for (const name of chance.shuffle(Object.keys(move.arguments))) {
    const value = move.arguments[name]
    if (Array.isArray(value) && value.length === 4 && value.every((side) => typeof side === 'number')) {
      const [left = 0, top = 0, right = 0, bottom = 0] = value as readonly number[]
      const [wide, high] = [Math.max(8, (right - left) / 2), Math.max(8, (bottom - top) / 2)]
      return { ...callOf(move), arguments: { ...move.arguments, [name]: [0, 0, Math.round(wide), Math.round(high)] } }
    }
  }
  const tasks: ToolDefinition['tasks'] = definitionOf(move, definitions)?.tasks ?? {}
  const given = Object.keys(move.arguments)
  const others = Object.keys(tasks).filter((task) => {
    const schema = tasks[task]?.arguments as { properties?: object; required?: readonly string[] } | undefined
    const known = Object.keys(schema?.properties ?? {})
    return (
      task !== move.task &&
      given.every((name) => known.includes(name)) &&
      (schema?.required ?? []).every((name) => given.includes(name))
    )
  })
  return others.length === 0 ? null : { ...callOf(move), task: chance.pick(others) }
}

/** WRONG_TOOL: a tool that cannot help. */
export function wrongTool(move: Move, definitions: readonly ToolDefinition[], chance: Random): Call | null {
  const others = definitions.filter(({ name, runs, tasks, default_task: task }) => {
    const { required = [] } = (tasks[task]?.arguments ?? {}) as { required?: readonly string[] }
    return name !== move.tool && runs === 'local' && required.length === 0
  })
  if (others.length === 0) return null
  const { name, default_task: task } = chance.pick(others)
  return { tool: name, task, arguments: {} }
}

function definitionOf({ tool }: Move, definitions: readonly ToolDefinition[]): ToolDefinition | undefined {
  return definitions.find(({ name, aliases }) => name === tool || aliases.includes(tool))
}

function propertiesOf(move: Move, definitions: readonly ToolDefinition[]): Readonly<Record<string, unknown>> {
  const schema = definitionOf(move, definitions)?.tasks[move.task]?.arguments
  return (schema as { properties?: Readonly<Record<string, unknown>> } | undefined)?.properties ?? {}
}
