/** Holds the arguments of a call against the schema of a tool's task, and names each fault by its code. */
import { Compile } from 'typebox/compile'
import { nearest } from '#services/core/nearest.ts'
import { kindOf } from './call.ts'
import type { CallFault } from './tools.ts'
import type { ToolTask } from './tool.ts'

type Fields = Readonly<Record<string, { readonly type?: string; readonly description?: string }>>

/** A compiled schema: the faults of a value, none where it fits. */
export type Check = {
  (value: unknown): readonly { keyword: string; path: string; message: string; names: readonly string[] }[]
}

/** Strings longer than this are no sound argument of any tool: mostly a picture, pasted in. */
const letterMax = 20_000
/** How many faults of one call are told. */
const faultsMax = 20
const textFields = ['query', 'problem', 'question', 'prompt', 'caption', 'text']
const wrappers = ['arguments', 'parameters', 'params', 'args', 'kwargs', 'input', 'inputs']

const checks = new WeakMap<object, Check>()

/** The check of a schema; compiled once. */
export function checkOf(schema: ToolTask['arguments']): Check {
  const known = checks.get(schema)
  if (known !== undefined) return known
  const compiled = Compile(schema)
  const check: Check = (value) =>
    compiled.Check(value)
      ? []
      : compiled
          .Errors(value)
          .slice(0, 20)
          .map((error) => ({
            keyword: error.keyword,
            path: error.instancePath.slice(1).replaceAll('/', '.'),
            message: error.message,
            names: Object.values(error.params as Record<string, unknown>).flatMap((value) =>
              Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [],
            ),
          }))
  checks.set(schema, check)
  return check
}

/** The names that a task's arguments may have. */
export function fieldsOf(task: ToolTask): Fields {
  return (task.arguments as { properties?: Fields }).properties ?? {}
}

/** A bare string stands for the task's one field of words, where it has one. */
export function argumentsObject(task: ToolTask, given: unknown): { values: Record<string, unknown> } | CallFault {
  if (typeof given !== 'string') return { values: given as Record<string, unknown> }
  const field = textFields.find((name) => fieldsOf(task)[name] !== undefined)
  if (field !== undefined) return { values: { [field]: given } }
  if (given.trim() === '') return { values: {} }
  const names = Object.keys(fieldsOf(task))
  return {
    code: 'E1',
    path: 'arguments',
    message: `"arguments" is a string; write an object with ${names.length === 0 ? 'no fields' : names.join(', ')}`,
  }
}

/** E1 for what breaks the structure, E2 for names that the task does not know, E3 for values that it does not take. */
export function argumentFaults(task: ToolTask, values: Record<string, unknown>): CallFault[] {
  const fields = fieldsOf(task)
  const faults: CallFault[] = []
  const add = (code: CallFault['code'], name: string, message: string): void => {
    if (faults.length < faultsMax && !faults.some((fault) => fault.code === code && fault.path === at(name)))
      faults.push({ code, path: at(name), message })
  }
  const isKnown = (name: string): boolean => Object.hasOwn(fields, name)
  for (const [name, value] of Object.entries(values)) {
    if (!isKnown(name)) unknownName(name, value, Object.keys(fields), add)
    else if (isNested(name, value)) add('E1', name, `${name} is wrapped in an object of its own; give its value alone`)
    else if (typeof value === 'string' && value.length > letterMax) {
      add(
        'E3',
        name,
        `${name} has ${value.length} characters; at most ${letterMax} are taken, and pictures go by image_index`,
      )
    }
  }
  if (faults.some(({ code }) => code === 'E1')) return faults
  for (const { keyword, path, message, names } of checkOf(task.arguments)(values)) {
    const name = path.split('.')[0] ?? ''
    if (keyword === 'required' && path === '') {
      for (const missing of names)
        add('E1', missing, `${missing} is missing: ${fields[missing]?.description ?? 'it is required'}`)
    } else if (isKnown(name) && !faults.some((fault) => fault.path === at(name))) {
      add(
        'E3',
        name,
        `${name} ${message}; it is ${kindOf(values[name])}: ${fields[name]?.description ?? ''}`.replace(/: $/, ''),
      )
    }
  }
  return faults
}

function unknownName(
  name: string,
  value: unknown,
  known: readonly string[],
  add: (code: CallFault['code'], name: string, message: string) => void,
): void {
  const shown = name.slice(0, 60)
  if (wrappers.includes(name) && typeof value === 'object' && value !== null) {
    add('E1', shown, `"${shown}" stands inside "arguments"; give the arguments themselves`)
    return
  }
  const near = nearest(name, known)
  const list = known.length === 0 ? 'this task takes no arguments' : `the arguments are ${known.join(', ')}`
  add('E2', shown, `there is no argument "${shown}"${near === undefined ? '' : `; did you mean ${near}?`}; ${list}`)
}

/** {"caption": {"caption": …}}: the right name, a level too deep. */
function isNested(name: string, value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const keys = Object.keys(value)
  return keys.length === 1 && [name, 'value', ...wrappers].includes(keys[0] ?? '')
}

function at(name: string): string {
  return `arguments.${name}`
}
