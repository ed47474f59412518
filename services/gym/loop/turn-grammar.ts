/** What is wrong with the form of a turn or of a rollout. */
export type FormatViolation =
  | 'think_missing'
  | 'think_unclosed'
  | 'think_not_first'
  | 'action_missing'
  | 'action_unclosed'
  | 'two_actions'
  | 'tags_out_of_order'
  | 'text_outside_tags'
  | 'tool_call_not_json'
  | 'tool_call_without_name'
  | 'no_answer'
  | 'answer_before_end'
  | 'no_tool_call'
  | 'turn_too_long'

/** How a turn is held to the grammar: as the paper says, or as loosely as the released environment does. */
export type FormatRule = 'strict' | 'lenient'

/** A call as the model wrote it: `raw` is what stood between the tags. What it means is for the tools to say. */
export type WrittenCall = {
  readonly raw: string
  /** Its `tool`, or else its `name`; empty without one. */
  readonly name: string
  readonly arguments: unknown
  readonly parsed: boolean
}

/** A turn as read. A turn may break the grammar and still hold an action that can be carried out. */
export type Turn = {
  readonly action_kind: 'tool_call' | 'answer' | 'invalid'
  readonly think_text: string | null
  readonly answer_text: string | null
  readonly call: WrittenCall | null
  readonly violations: readonly FormatViolation[]
  /** Where decoding stops: after the first </tool_call>. What stands behind it is no part of the conversation. */
  readonly stopped_at: number
}

const callEnd = '</tool_call>'
const anyTag = /<\/?(?:think|tool_call|answer)>/g

/**
 * Reads one turn against the grammar `<think>…</think>` then one `<tool_call>…</tool_call>` or
 * `<answer>…</answer>`: in order, closed, not nested, nothing around them. Of several calls the first counts.
 * `lenient`, as in the released environment: any text that holds a call passes, else one that holds an answer tag or a
 * Markdown heading "Final answer". Never throws.
 */
export function readTurn(raw: string, rule: FormatRule = 'strict'): Turn {
  const end = raw.indexOf(callEnd)
  const stopped_at = end < 0 ? raw.length : end + callEnd.length
  const call = writtenCall(callText(raw, end))
  const answer = inside(raw, 'answer') ?? (rule === 'lenient' ? headedAnswer(raw) : null)
  const runs = call !== null && call.parsed && call.name !== ''
  // The call wins over an answer in the same turn: decoding stops at </tool_call>.
  const kind = runs ? 'tool_call' : call === null && answer !== null ? 'answer' : 'invalid'
  return {
    action_kind: kind,
    think_text: inside(raw, 'think'),
    answer_text: kind === 'answer' ? answer : null,
    call,
    violations: rule === 'strict' ? strictViolations(raw, call) : lenientViolations(call, answer),
    stopped_at,
  }
}

function strictViolations(raw: string, call: WrittenCall | null): FormatViolation[] {
  const tags = [...raw.matchAll(anyTag)]
  const violations = new Set<FormatViolation>(tagViolations(tags.map((tag) => tag[0])))
  if (textOutside(raw, tags)) violations.add('text_outside_tags')
  if (call !== null && !call.parsed) violations.add('tool_call_not_json')
  if (call?.parsed === true && call.name === '') violations.add('tool_call_without_name')
  return [...violations]
}

function lenientViolations(call: WrittenCall | null, answer: string | null): FormatViolation[] {
  return call === null && answer === null ? ['action_missing'] : []
}

/**
 * What is wrong with the form of a whole rollout: that of each turn, and that it is tool calls and then
 * one answer. Whether an answer with no tool call before it is malformed is left open by the paper, so
 * it is a choice here.
 */
export function formatViolations(
  turns: readonly Pick<Turn, 'action_kind' | 'violations'>[],
  options: { needs_tool_call: boolean },
): FormatViolation[] {
  const found = new Set<FormatViolation>(turns.flatMap((turn) => turn.violations))
  if (turns.at(-1)?.action_kind !== 'answer') found.add('no_answer')
  if (turns.slice(0, -1).some((turn) => turn.action_kind === 'answer')) found.add('answer_before_end')
  const called = turns.some((turn) => turn.action_kind === 'tool_call')
  if (options.needs_tool_call && !called) found.add('no_tool_call')
  return [...found]
}

function tagViolations(tags: readonly string[]): FormatViolation[] {
  const sequence = tags.join('')
  if (sequence === '<think></think><tool_call></tool_call>' || sequence === '<think></think><answer></answer>')
    return []
  const found: FormatViolation[] = []
  const has = (tag: string): boolean => tags.includes(tag)
  if (!has('<think>')) found.push('think_missing')
  else if (!has('</think>')) found.push('think_unclosed')
  else if (tags[0] !== '<think>') found.push('think_not_first')
  const actions = tags.filter((tag) => tag === '<tool_call>' || tag === '<answer>').length
  if (actions === 0) found.push('action_missing')
  if (actions > 1) found.push('two_actions')
  const unclosed = ['tool_call', 'answer'].some((name) => has(`<${name}>`) && !has(`</${name}>`))
  if (unclosed) found.push('action_unclosed')
  const nested = !closedInOrder(tags) && !unclosed && !found.includes('think_unclosed')
  // Each tag may be there, yet one inside another, or a thought too many.
  if (nested || found.length === 0) found.push('tags_out_of_order')
  return found
}

function closedInOrder(tags: readonly string[]): boolean {
  return (
    tags.length % 2 === 0 && tags.every((tag, place) => place % 2 === 0 || tag === tags[place - 1]?.replace('<', '</'))
  )
}

/** Whether words stand before, between or after blocks; only told where the blocks themselves are sound. */
function textOutside(raw: string, tags: readonly RegExpExecArray[]): boolean {
  if (tags.length === 0 || !closedInOrder(tags.map((tag) => tag[0]))) return false
  let from = 0
  for (const [place, tag] of tags.entries()) {
    if (place % 2 === 0 && /\S/.test(raw.slice(from, tag.index))) return true
    from = tag.index + tag[0].length
  }
  return /\S/.test(raw.slice(from))
}

/** The text of the last block of this name; of an unclosed one, the rest. */
function inside(raw: string, name: 'think' | 'tool_call' | 'answer'): string | null {
  const start = raw.lastIndexOf(`<${name}>`)
  if (start < 0) return null
  const from = start + name.length + 2
  const rest = raw.slice(from)
  const end = rest.search(/<\/?(?:think|tool_call|answer)>/)
  return (end < 0 ? rest : rest.slice(0, end)).trim()
}

/** The text of the first call that is closed, or else of the last that is opened; null without one. */
function callText(raw: string, end: number): string | null {
  const open = '<tool_call>'
  const start = raw.lastIndexOf(open, end < 0 ? raw.length : end)
  if (start < 0) return null
  const text = raw.slice(start + open.length, end < 0 ? undefined : end)
  const other = text.search(/<\/?(?:think|tool_call|answer)>/)
  return (other < 0 ? text : text.slice(0, other)).trim()
}

const heading =
  /^[ \t]*(?:#{1,6}|\*\*)[ \t]*(?:the[ \t]+)?final[ \t]+answer[ \t]*(?:is)?[ \t]*:?[ \t]*(?:\*\*)?[ \t]*:?[ \t]*\n?([^\n]*)/im

/** What stands after a Markdown heading such as `### Final answer: 42` or `**Final Answer:** 42`. */
function headedAnswer(raw: string): string | null {
  return (
    heading
      .exec(raw)?.[1]
      ?.replace(/\*\*\s*$/, '')
      .trim() ?? null
  )
}

function writtenCall(raw: string | null): WrittenCall | null {
  if (raw === null) return null
  try {
    const value: unknown = JSON.parse(raw)
    if (typeof value !== 'object' || value === null) return { raw, name: '', arguments: {}, parsed: true }
    const { tool, name, arguments: given } = value as { tool?: unknown; name?: unknown; arguments?: unknown }
    const named = tool ?? name
    return { raw, name: typeof named === 'string' ? named.trim() : '', arguments: given ?? {}, parsed: true }
  } catch {
    // Kept as written; the name is read by eye, so that failed calls can still be counted by tool.
    const name = /"(?:name|tool)"\s*:\s*"([^"]{1,100})"/.exec(raw)?.[1] ?? ''
    return { raw, name, arguments: raw, parsed: false }
  }
}
