/** Reads a call as a policy wrote it, in any of the four shapes in circulation. */
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
const known = ['tool', 'name', 'task', 'arguments', 'parameters', 'prompt', 'id']

/**
 * Shape 1: {tool, task}; 2: {tool, task, arguments}, where arguments may be a bare string; 3: {tool, parameters}, or
 * {tool, prompt}; 4: {name, arguments}. Takes the text of the call, or the value that it parses to. Never throws.
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
    if (typeof value === 'string') return value.trim()
    faults.push(broken(key, `"${key}" is ${kindOf(value)}; write a string`))
    return null
  }
  const [tool, otherName, task, prompt] = [text('tool'), text('name'), text('task'), text('prompt')]
  const name = tool ?? otherName ?? ''
  if (name === '') faults.push(broken('tool', 'the call names no tool; write "tool": "…"'))
  for (const key of Object.keys(call)) {
    if (known.includes(key)) continue
    faults.push(broken(key, `"${key.slice(0, 60)}" stands beside the tool; arguments belong inside "arguments": {…}`))
  }
  if (call['arguments'] !== undefined && call['parameters'] !== undefined) {
    faults.push(broken('parameters', 'the call has both "arguments" and "parameters"; write one of them'))
  }
  const given = call['arguments'] ?? call['parameters']
  const inner = task === null ? offeredForm(given) : null
  const values = inner?.arguments ?? given ?? (prompt === null ? {} : { prompt })
  if (typeof values !== 'object' && typeof values !== 'string') {
    faults.push(broken('arguments', `"arguments" is ${kindOf(values)}; write an object`))
  }
  if (Array.isArray(values)) faults.push(broken('arguments', '"arguments" is a list; write an object'))
  return { name, task: task ?? inner?.task ?? null, arguments: values, shape: shapeOf(call), parse_ok: true, faults }
}

/** The form in which tools are offered to chat templates, and native calls come: task and arguments, both inside of the arguments. */
function offeredForm(given: unknown): { readonly task: string; readonly arguments: unknown } | null {
  if (typeof given !== 'object' || given === null) return null
  const { task, arguments: values, ...others } = given as Readonly<Record<string, unknown>>
  return typeof task === 'string' && Object.keys(others).length === 0
    ? { task: task.trim(), arguments: values ?? {} }
    : null
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

/** Whether lists and objects are nested more than `levels` deep; walks without recursion. */
function isDeeperThan(value: object, levels: number): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; depth <= levels; depth++) {
    level = level.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each) : []))
    if (level.length === 0) return false
  }
  return true
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
