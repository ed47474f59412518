/** What several shapes ask of a conversation, as SQL over `w` and its messages `m`. */
import type { Fault, Layer } from './shape.ts'

const MARK = '<image>'

/** How often the mark of an image stands in a text. */
export const marks = (text: string) =>
  `CAST((len(${text}) - len(replace(${text}, '${MARK}', ''))) / ${MARK.length} AS BIGINT)`

/** Messages up to the last action. What was observed after it is history of no action, and these formats end with the model's turn. */
export const UP_TO_LAST_ACTION: Layer = {
  n_used: `CASE WHEN list_contains(w.loss_mask, 1) THEN len(w.loss_mask) - list_position(list_reverse(w.loss_mask), 1) + 1 ELSE 0 END`,
  has_system: `coalesce(w.messages[1].role = 'system', false)`,
}

/** The messages that are used without the system message, and their mask. */
export const BODY: Layer = {
  system: 'CASE WHEN w.has_system THEN w.messages[1].content END',
  body: 'w.messages[CASE WHEN w.has_system THEN 2 ELSE 1 END:w.n_used]',
  used_images: 'flatten(w.message_images[1:w.n_used])',
}

export const hasCalls = (m: string) => `coalesce(len(${m}.tool_calls), 0) > 0`

/** A text that is one thought and nothing else. */
export const isThought = (text: string) =>
  `(regexp_full_match(${text}, '\\s*<think>.*</think>\\s*', 's') AND len(${text}) - len(replace(${text}, '<think>', '')) = 7)`

/** Whether the arguments of a call are a JSON object. */
const isObject = (text: string) => `CASE WHEN json_valid(${text}) THEN json_type(${text}) = 'OBJECT' ELSE false END`

/** A call as JSON: {"name": …, "arguments": {…}}. */
export const callJson = (call: string) =>
  `to_json({"name": ${call}."function"."name", arguments: CASE WHEN json_valid(${call}."function".arguments) THEN CAST(${call}."function".arguments AS JSON) END})`

/** A turn of the model with neither text nor calls. */
export const noText = (messages: string): Fault => [
  'no_text',
  `len(list_filter(${messages}, lambda m: m.role = 'assistant' AND m.content IS NULL AND NOT ${hasCalls('m')})) > 0`,
]

export const NO_ACTION: Fault = ['no_action', 'NOT list_contains(w.loss_mask, 1)']

/** Formats that train on every turn of the assistant cannot leave one out. */
export const UNTRAINED_ACTION: Fault = [
  'untrained_action',
  `len(list_filter(w.messages, lambda m: m.role = 'assistant')) <> list_sum(w.loss_mask)`,
]

/** The marks of images in each message must be as many as its images. */
export const imageMarks = (messages: string, images: string): Fault => [
  'image_marks',
  `len(list_filter(${messages}, lambda m, i: coalesce(${marks('m.content')}, 0) <> len(${images}[i]))) > 0`,
]

export const BAD_ARGUMENTS: Fault = [
  'arguments',
  `len(list_filter(w.messages, lambda m: len(list_filter(coalesce(m.tool_calls, []), lambda c: NOT ${isObject('c."function".arguments')})) > 0)) > 0`,
]

/** Roles beside system (first), user, assistant and tool. */
export const OTHER_ROLE: Fault = [
  'role',
  `len(list_filter(w.messages, lambda m, i: m.role IS NULL OR NOT (m.role IN ('user', 'assistant', 'tool', 'function') OR (m.role = 'system' AND i = 1)))) > 0`,
]
