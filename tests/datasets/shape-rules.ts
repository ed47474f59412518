/**
 * What the readers of each shape ask of a row, by their documentation and loaders: OpenAI's chat format as TRL reads it,
 * LLaMA-Factory's sharegpt converter, ms-swift's row preprocessor, verl's datasets, InternVL's conversations.
 */
import type { Shape } from '#services/datasets/recipes.ts'

type Json = Record<string, unknown>

/** What is wrong with a row, or undefined. */
export type Rule = (row: Json) => string | undefined

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : [])
const texts = (value: unknown): string[] => (Array.isArray(value) ? (value as string[]) : [])
const marks = (text: unknown): number => (typeof text === 'string' ? text.split('<image>').length - 1 : 0)
const isText = (value: unknown): value is string => typeof value === 'string'

function parsed(text: unknown): unknown {
  try {
    return isText(text) ? JSON.parse(text) : undefined
  } catch {
    return undefined
  }
}

const isFields = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const isTools = (value: unknown) => value === null || Array.isArray(parsed(value))

/** {"name": text, "arguments": object}. */
const isCall = (value: unknown) => isFields(value) && isText(value['name']) && isFields(value['arguments'])

const openai: Rule = (row) => {
  const messages = list(row['messages'])
  const mask = row['loss_mask'] as number[]
  if (!isTools(row['tools'])) return 'tools are JSON text of a list'
  if (mask.length !== messages.length) return 'the mask has one number for each message'
  for (const [index, message] of messages.entries()) {
    if (!['developer', 'system', 'user', 'assistant', 'tool', 'function'].includes(String(message['role'])))
      return 'role'
    if (mask[index] === 1 && message['role'] !== 'assistant') return 'only actions are trained on'
    for (const call of list(message['tool_calls']))
      if (call['type'] !== 'function' || !isFields(call['function']) || !isText(call['function']['arguments']))
        return 'a call is a function with its arguments as text'
  }
  return undefined
}

const ODD = ['human', 'observation']
const EVEN = ['gpt', 'function_call']

/** What LLaMA-Factory's FunctionFormatter does: at most one thought, and JSON. */
function functionFault(value: string): string | undefined {
  const calls = parsed(value.replace(/<think>.*?<\/think>/s, ''))
  return (Array.isArray(calls) ? calls : [calls]).every(isCall) ? undefined : 'a call is JSON of name and arguments'
}

function turnsFault(turns: readonly Json[], images: number): string | undefined {
  for (const [index, { from, value }] of turns.entries()) {
    if (!isText(value)) return 'a turn has text'
    if (!(index % 2 === 0 ? ODD : EVEN).includes(String(from)))
      return 'human and observation are odd, gpt and function_call even'
    const fault = from === 'function_call' ? functionFault(value) : undefined
    if (fault !== undefined) return fault
  }
  const shown = turns.reduce((sum, { value }) => sum + marks(value), 0)
  return shown === images ? undefined : `${shown} marks for ${images} images`
}

const sharegpt: Rule = (row) => {
  const turns = list(row['conversations'])
  if (!isTools(row['tools'])) return 'tools are JSON text of a list'
  if (turns.length === 0 || turns.length % 2 !== 0) return 'the number of turns is even'
  return turnsFault(turns, texts(row['images']).length)
}

const swift: Rule = (row) => {
  const messages = list(row['messages'])
  if (messages.length === 0 || !isTools(row['tools'])) return 'messages and tools'
  for (const { role, content, loss } of messages) {
    if (!['system', 'user', 'tool_call', 'tool_response', 'assistant'].includes(String(role))) return 'role'
    if (!isText(content)) return 'content is text'
    if (role === 'tool_call' && !isCall(parsed(content))) return 'a call is JSON of name and arguments'
    if ((role === 'assistant' || role === 'tool_call') !== (typeof loss === 'boolean'))
      return 'loss is of what the model says'
  }
  const shown = messages.reduce((sum, { content }) => sum + marks(content), 0)
  const images = texts(row['images']).length
  return shown === images ? undefined : `${shown} marks for ${images} images`
}

const verl: Rule = (row) => {
  const messages = list(row['messages'])
  if (messages.some(({ content }) => !isText(content))) return 'content is text'
  if (!messages.some(({ role }) => role === 'assistant')) return 'nothing to train on'
  const shown = messages.reduce((sum, { content }) => sum + marks(content), 0)
  return shown === texts(row['images']).length ? undefined : 'image_offset != len(images)'
}

const internvl: Rule = (row) => {
  const turns = list(row['conversations'])
  const body = turns[0]?.['from'] === 'system' ? turns.slice(1) : turns
  if (!isText(row['id']) || body.length === 0 || body.length % 2 !== 0) return 'an id and an even number of turns'
  for (const [index, { from, value }] of body.entries())
    if (from !== (index % 2 === 0 ? 'human' : 'gpt') || !isText(value)) return 'human and gpt take turns'
  const shown = body.reduce((sum, { value }) => sum + marks(value), 0)
  return shown === texts(row['images']).length ? undefined : 'as many marks as images'
}

const raw: Rule = (row) => {
  const messages = list(row['messages'])
  if ((row['loss_mask'] as number[]).length !== messages.length) return 'the mask has one number for each message'
  const images = messages.flatMap((message) => texts(message['images']))
  return images.join() === texts(row['images']).join() ? undefined : 'images are those of the messages in order'
}

/** The rules of `sft` in each shape. */
export const SFT_RULES: Readonly<Record<Shape, Rule>> = { openai, sharegpt, swift, verl, internvl, raw }

/** verl's RL rows: rl_dataset.py and the examples of data_preprocess. */
export const verlRl: Rule = (row) => {
  const prompt = list(row['prompt'])
  const model = row['reward_model']
  if (prompt.length === 0 || prompt.some(({ role, content }) => !isText(role) || !isText(content))) return 'prompt'
  if (!isFields(model) || model['style'] !== 'rule' || !isText(model['ground_truth'])) return 'reward_model'
  if (!isText(row['data_source']) || !isFields(row['extra_info'])) return 'data_source and extra_info'
  const shown = prompt.reduce((sum, { content }) => sum + marks(content), 0)
  return shown === texts(row['images']).length ? undefined : 'as many marks as images'
}

/** LLaMA-Factory's ranking rows: an odd number of turns, then one message chosen and one rejected. */
export const sharegptPair: Rule = (row) => {
  const turns = list(row['conversations'])
  if (turns.length % 2 !== 1) return 'the number of turns before the answer is odd'
  for (const side of ['chosen', 'rejected']) {
    const turn = row[side]
    if (!isFields(turn) || !EVEN.includes(String(turn['from'])) || !isText(turn['value']))
      return `${side} is one turn of the model`
  }
  return turnsFault(turns, texts(row['images']).length)
}
