/** Reads a call as a policy wrote it, in any of the four shapes in circulation. */
import { isDeeperThan } from '#services/gym/depth.ts'
import type { CallFault } from './tools.ts'

/** A call as read, not yet held against the tools. */
export type ReadCall = {
  readonly name: string
  readonly task: string | null
  /** An object, or a bare string. */
  readonly arguments: unknown
  readonly shape: 1 | 2 | 3 | 4 | null
  readonly parse_ok: boolean
  readonly faults: readonly CallFault[]
}

const callCharsMax = 1_000_000
const depthMax = 16
/** A name is told in full in messages and records, but no longer than this. */
const nameLettersMax = 200
/** How many names that do not belong beside a tool are told. */
const strayMax = 8
const known = ['tool', 'name', 'task', 'arguments', 'parameters', 'prompt', 'id']

/**
 * Shape 1: {tool, task}; 2: {tool, task, arguments}, where arguments may be a bare string; 3: {tool, parameters}, or
 * {tool, prompt}; 4: {name, arguments}. Where no task stands beside the tool, it may stand among the arguments. Takes the
 * text of the call, or the value that it parses to. Never throws.
 */
export function readCall(written: unknown): ReadCall {
  const parsed = typeof written === 'string' ? parsedText(written) : written
  if (parsed === undefined) {
    const why =
      typeof written === 'string' && written.length > callCharsMax
        ? `the call has ${written.length} characters; at most ${callCharsMax} are read`
        : 'the call is not JSON; write one object such as {"tool": "easyocr", "task": "detect_and_recognize", "arguments": {}}'
    return { ...unread(written), parse_ok: false, faults: [broken('', why)] }
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return {
      ...unread(written),
      faults: [broken('', `the call is ${kindOf(parsed)}; write one JSON object with "tool"`)],
    }
  }
  if (isDeeperThan(parsed, depthMax)) {
    return { ...unread(written), faults: [broken('', `the call is nested more than ${depthMax} levels deep`)] }
  }
  return fromObject(parsed as Record<string, unknown>)
}

function fromObject(call: Record<string, unknown>): ReadCall {
  const faults: CallFault[] = []
  const text = (key: string): string | null => {
    const value = call[key]
    if (value === undefined || value === null) return null
    if (typeof value === 'string') return value.trim().slice(0, nameLettersMax).toWellFormed()
    faults.push(broken(key, `"${key}" is ${kindOf(value)}; write a string`))
    return null
  }
  const [tool, otherName, task] = [text('tool'), text('name'), text('task')]
  const name = tool === null || tool === '' ? (otherName ?? '') : tool
  if (name === '') faults.push(broken('tool', 'the call names no tool; write "tool": "…"'))
  for (const key of Object.keys(call)
    .filter((each) => !known.includes(each))
    .slice(0, strayMax)) {
    const shown = key.slice(0, 60).toWellFormed()
    faults.push(broken(shown, `"${shown}" stands beside the tool; arguments belong inside "arguments": {…}`))
  }
  if (call['arguments'] !== undefined && call['parameters'] !== undefined) {
    faults.push(broken('parameters', 'the call has both "arguments" and "parameters"; write one of them'))
  }
  const given = objectInString(call['arguments'] ?? call['parameters'])
  const inner = task === null ? withTask(given) : null
  const prompt = call['prompt'] ?? null
  if (prompt !== null && given !== undefined && given !== null)
    faults.push(broken('prompt', 'the call has both "arguments" and "prompt"; write the prompt inside of them'))
  const values = inner?.arguments ?? given ?? (prompt === null ? {} : { prompt })
  if (typeof values !== 'object' && typeof values !== 'string') {
    faults.push(broken('arguments', `"arguments" is ${kindOf(values)}; write an object`))
  }
  if (Array.isArray(values)) faults.push(broken('arguments', '"arguments" is a list; write an object'))
  return { name, task: task ?? inner?.task ?? null, arguments: values, shape: shapeOf(call), parse_ok: true, faults }
}

/** Native calls bear their arguments as JSON in a string. */
function objectInString(given: unknown): unknown {
  if (typeof given !== 'string' || !given.trimStart().startsWith('{')) return given
  const value = parsedText(given)
  return typeof value === 'object' && value !== null && !isDeeperThan(value, depthMax) ? value : given
}

/**
 * A task among the arguments: {task, arguments}, the form in which tools are offered to chat templates, or {task, …}, as
 * the released environment has it. No tool has an argument of that name.
 */
function withTask(given: unknown): { readonly task: string; readonly arguments: unknown } | null {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return null
  const { task, ...others } = given as Readonly<Record<string, unknown>>
  if (typeof task !== 'string') return null
  const isOffered = Object.keys(others).every((name) => name === 'arguments')
  const values = isOffered ? (others['arguments'] ?? {}) : others
  return { task: task.trim().slice(0, nameLettersMax).toWellFormed(), arguments: values }
}

function shapeOf(call: Record<string, unknown>): 1 | 2 | 3 | 4 | null {
  if (typeof call['tool'] === 'string') {
    if (call['parameters'] !== undefined || call['prompt'] !== undefined) return 3
    if (call['arguments'] !== undefined) return 2
    return typeof call['task'] === 'string' ? 1 : 3
  }
  return typeof call['name'] === 'string' ? 4 : null
}

function unread(written: unknown): Omit<ReadCall, 'faults'> {
  // The name is read by eye, so that calls that failed can still be counted by tool.
  const text = typeof written === 'string' ? written.slice(0, 2000) : ''
  const name = /"(?:tool|name)"\s*:\s*"([^"]{1,100})"/.exec(text)?.[1] ?? ''
  return { name, task: null, arguments: written ?? {}, shape: null, parse_ok: true }
}

function parsedText(text: string): unknown {
  if (text.length > callCharsMax) return undefined
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function broken(path: string, message: string): CallFault {
  return { code: 'E1', path, message }
}

/** What a JSON value is, in words. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  return typeof value === 'undefined' ? 'missing' : `a ${typeof value}`
}
