/** A trajectory's messages in the shape of OpenAI's chat API, as SQL over the lake's prompt and steps. */
import { OPENAI_MESSAGE } from './recipes/columns.ts'

/** Arguments are JSON text in the lake; where that is a JSON string, the producer sent text, and the text is what is meant. */
const callArguments = (value: string) =>
  `CASE WHEN ${value} IS NULL THEN '{}' WHEN starts_with(${value}, '"') AND json_valid(${value}) THEN CAST(${value} AS JSON) ->> '$' ELSE ${value} END`

const call = (id: string, name: string, args: string) =>
  `{id: ${id}, "type": 'function', "function": {"name": ${name}, arguments: ${callArguments(args)}}}`

/** Calls that a prompt's message carries as JSON text, in OpenAI's form or flat. */
const SENT_CALL = `'[{"id":"VARCHAR","name":"VARCHAR","arguments":"VARCHAR","function":{"name":"VARCHAR","arguments":"VARCHAR"}}]'`
const sentCalls = (
  json: string,
) => `CASE WHEN json_valid(${json}) AND json_type(${json}) = 'ARRAY' AND json_array_length(${json}) > 0
  THEN list_transform(json_transform(${json}, ${SENT_CALL}), lambda c: ${call('c.id', 'coalesce(c."function"."name", c."name")', 'coalesce(c."function".arguments, c.arguments)')}) END`

/** Messages of the lake as messages of the shape. */
const asSent = (list: string) => `coalesce(list_transform(${list}, lambda m: CAST({role: m.role, content: m.content,
  tool_calls: ${sentCalls('m.tool_calls')}, tool_call_id: m.tool_call_id, "name": m."name"} AS ${OPENAI_MESSAGE})), [])`

/** What the policy wrote, without the calls in it. Producers that send only the parts get them put together. */
const WRITTEN = `coalesce(s.content, s.raw_output,
  nullif(concat_ws(chr(10), '<think>' || s.think_text || '</think>', '<answer>' || s.answer_text || '</answer>'), ''))`

const ACTION = `CAST({role: 'assistant', content: ${WRITTEN},
  tool_calls: CASE WHEN len(s.tool_calls) > 0 THEN list_transform(s.tool_calls, lambda c: ${call('c.id', 'c."name"', 'c.arguments')}) END,
  tool_call_id: NULL, "name": NULL} AS ${OPENAI_MESSAGE})`

const imagesOf = (list: string) => `flatten(list_transform(coalesce(${list}, []), lambda m: coalesce(m.images, [])))`

/** The columns of `steps` that a step's part of the row is made of. */
export const STEP_COLUMNS = [
  'trajectory_id',
  'step_index',
  'raw_output',
  'content',
  'think_text',
  'answer_text',
  'tool_calls',
  'observation',
  'images',
] as const

/** The messages of step `s`: what the policy did, then what it observed. */
export const STEP_MESSAGES = `list_concat([${ACTION}], ${asSent('s.observation')})`

/** 1 for what the policy did, 0 for each observation. */
export const STEP_LOSS_MASK = `list_concat([1::INTEGER], list_transform(coalesce(s.observation, []), lambda m: 0::INTEGER))`

/** The images of step `s` in the order of their messages; those of the step where its messages name none. */
export const STEP_IMAGES = `CASE WHEN len(${imagesOf('s.observation')}) > 0 THEN ${imagesOf('s.observation')} ELSE coalesce(s.images, []) END`

const NO_IMAGES = `[]::VARCHAR[]`
const listOfImages = (list: string) =>
  `list_transform(coalesce(${list}, []), lambda m: coalesce(m.images, ${NO_IMAGES}))`

/** The images of each message of step `s`. Where its messages name none, those of the step stand with the first of the observation, else with the action. */
export const STEP_MESSAGE_IMAGES = `CASE WHEN len(${imagesOf('s.observation')}) > 0 THEN list_concat([${NO_IMAGES}], ${listOfImages('s.observation')})
  WHEN len(s.observation) > 0 THEN list_concat([${NO_IMAGES}, coalesce(s.images, ${NO_IMAGES})], list_transform(s.observation[2:], lambda m: ${NO_IMAGES}))
  ELSE [coalesce(s.images, ${NO_IMAGES})] END`

/** What stands in each message of step `s` as text, the calls of the policy included; null where they do not stand in what it wrote. */
export const STEP_TEXTS = `list_concat([CASE WHEN coalesce(len(s.tool_calls), 0) = 0 THEN ${WRITTEN}
  WHEN s.content IS NOT NULL AND len(list_filter(s.tool_calls, lambda c: NOT contains(s.raw_output, c."name"))) = 0 THEN s.raw_output END],
  list_transform(coalesce(s.observation, []), lambda m: coalesce(m.content, '')))`

/** The action of step `s` and what was observed after it, as messages. */
export const STEP_ACTION = ACTION
export const STEP_OBSERVATION = asSent('s.observation')

/** The same of prompt \`p.prompt\`. */
export const PROMPT_MESSAGE_IMAGES = listOfImages('p.prompt')
export const PROMPT_TEXTS = `list_transform(coalesce(p.prompt, []), lambda m: CASE WHEN m.tool_calls IS NULL THEN coalesce(m.content, '') END)`

/** The messages of prompt `p.prompt`, their mask and their images. */
export const PROMPT_MESSAGES = asSent('p.prompt')
export const PROMPT_LOSS_MASK = `list_transform(coalesce(p.prompt, []), lambda m: 0::INTEGER)`
export const PROMPT_IMAGES = imagesOf('p.prompt')
