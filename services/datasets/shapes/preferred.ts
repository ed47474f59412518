/** Rows of `preference` in each shape, as SQL over `c` (chosen, or the only one), `r` (rejected) and `x` (a ranked list). */
import { OPENAI_MESSAGE } from '#services/datasets/recipes/columns.ts'
import { BAD_ARGUMENTS, callJson, hasCalls, imageMarks, isThought, noText, OTHER_ROLE } from './conversation.ts'
import type { Fault, Shape } from './shape.ts'
import { SWIFT_MESSAGE, swiftMessages } from './swift.ts'

export type PreferenceRow = 'pairs' | 'kto' | 'ranked'

type Written = Readonly<Record<string, readonly [type: string, sql: string]>>

const MESSAGES = `${OPENAI_MESSAGE}[]`
const TURN = 'STRUCT("from" VARCHAR, "value" VARCHAR)'
const tools = ['VARCHAR', 'c.tools'] as const
const images = ['VARCHAR[]', 'c.asked_images'] as const

/** TRL: DPO reads prompt, chosen, rejected; KTO prompt, completion, label. */
const openai: Readonly<Record<PreferenceRow, Written>> = {
  pairs: {
    prompt: [MESSAGES, 'c.asked_messages'],
    chosen: [MESSAGES, 'c.said_messages'],
    rejected: [MESSAGES, 'r.said_messages'],
    tools,
    images,
    chosen_images: ['VARCHAR[]', 'c.said_images'],
    rejected_images: ['VARCHAR[]', 'r.said_images'],
  },
  kto: {
    prompt: [MESSAGES, 'c.asked_messages'],
    completion: [MESSAGES, 'c.said_messages'],
    label: ['BOOLEAN', 'c.correct'],
    tools,
    images: ['VARCHAR[]', 'list_concat(c.asked_images, c.said_images)'],
  },
  ranked: {
    prompt: [MESSAGES, 'c.asked_messages'],
    completions: [`${MESSAGES}[]`, 'x.all_said'],
    tools,
    images: ['VARCHAR[]', `list_concat(c.asked_images, flatten(x.all_images))`],
  },
}

const asTurn = (m: string) => `CASE WHEN ${m}.role = 'user' THEN {"from": 'human', "value": coalesce(${m}.content, '')}
  WHEN ${m}.role <> 'assistant' THEN {"from": 'observation', "value": coalesce(${m}.content, '')}
  WHEN ${hasCalls(m)} THEN {"from": 'function_call', "value": coalesce(${m}.content, '') || CAST(to_json(list_transform(${m}.tool_calls, lambda c: ${callJson('c')})) AS VARCHAR)}
  ELSE {"from": 'gpt', "value": ${m}.content} END`

const SYSTEM = `coalesce(c.asked_messages[1].role = 'system', false)`
const asked = {
  conversations: [
    `${TURN}[]`,
    `list_transform(c.asked_messages[CASE WHEN ${SYSTEM} THEN 2 ELSE 1 END:], lambda m: ${asTurn('m')})`,
  ],
  system: ['VARCHAR', `CASE WHEN ${SYSTEM} THEN c.asked_messages[1].content END`],
  tools,
  images,
} as const satisfies Written

/** LLaMA-Factory: what is chosen and rejected is one message after the same conversation. */
const sharegpt: Partial<Record<PreferenceRow, Written>> = {
  pairs: {
    ...asked,
    chosen: [TURN, asTurn('c.said_messages[1]')],
    rejected: [TURN, asTurn('r.said_messages[1]')],
  },
  kto: {
    ...asked,
    conversations: [`${TURN}[]`, `list_append(${asked.conversations[1]}, ${asTurn('c.said_messages[1]')})`],
    kto_tag: ['BOOLEAN', 'c.correct'],
  },
}

const swiftAll = (of: string) =>
  swiftMessages(
    `list_concat(${of}.asked_messages, ${of}.said_messages)`,
    `list_concat(${of}.asked_loss_mask, ${of}.said_loss_mask)[i] = 1`,
  )

/** ms-swift: `rejected_messages` is a whole conversation; a label marks rows for KTO. */
const swift: Partial<Record<PreferenceRow, Written>> = {
  pairs: {
    messages: [`${SWIFT_MESSAGE}[]`, swiftAll('c')],
    rejected_messages: [`${SWIFT_MESSAGE}[]`, swiftAll('r')],
    tools,
    images: ['VARCHAR[]', 'list_concat(c.asked_images, c.said_images)'],
    rejected_images: ['VARCHAR[]', 'list_concat(r.asked_images, r.said_images)'],
  },
  kto: {
    messages: [`${SWIFT_MESSAGE}[]`, swiftAll('c')],
    label: ['BOOLEAN', 'c.correct'],
    tools,
    images: ['VARCHAR[]', 'list_concat(c.asked_images, c.said_images)'],
  },
}

/** What each shape can write. */
export const PREFERENCE_SHAPES: Partial<Record<Shape, Partial<Record<PreferenceRow, Written>>>> = {
  openai,
  sharegpt,
  swift,
}

const ALL = 'list_concat(w.asked_messages, w.said_messages)'
const ALL_IMAGES = 'list_concat(w.asked_message_images, w.said_message_images)'
const ofAll = ([reason, sql]: Fault): Fault => [reason, sql.replaceAll('w.messages', ALL)]

const SHAREGPT_FAULTS: readonly Fault[] = [
  ['several_turns', 'len(w.said_messages) <> 1'],
  ofAll(OTHER_ROLE),
  ofAll(BAD_ARGUMENTS),
  [
    'text_beside_call',
    `len(list_filter(${ALL}, lambda m: ${hasCalls('m')} AND trim(coalesce(m.content, '')) <> '' AND NOT ${isThought('m.content')})) > 0`,
  ],
  noText(ALL),
  [
    'turn_order',
    `len(list_filter(w.asked_messages, lambda m, i: m.role <> 'system' AND (m.role = 'assistant') <> ((i - CASE WHEN w.asked_messages[1].role = 'system' THEN 1 ELSE 0 END) % 2 = 0))) > 0
      OR (len(w.asked_messages) - CASE WHEN coalesce(w.asked_messages[1].role = 'system', false) THEN 1 ELSE 0 END) % 2 = 0`,
  ],
  imageMarks(ALL, ALL_IMAGES),
]

const SWIFT_FAULTS: readonly Fault[] = [
  ofAll(OTHER_ROLE),
  ofAll(BAD_ARGUMENTS),
  noText(ALL),
  ['no_action', 'len(w.said_messages) = 0'],
  imageMarks(ALL, ALL_IMAGES),
]

/** Why a rollout `w` cannot be a side of a row in a shape. */
export function answerFaults(shape: Shape): readonly Fault[] {
  if (shape === 'sharegpt') return SHAREGPT_FAULTS
  return shape === 'swift' ? SWIFT_FAULTS : [['no_action', 'len(w.said_messages) = 0']]
}
