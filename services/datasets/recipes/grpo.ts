/** `grpo`: one row a trajectory with what a policy gradient needs of it. */
import type { Gathering } from '#services/lake/jobs.ts'
import { relation } from '#services/datasets/files.ts'
import { messageListFaults } from '#services/datasets/shapes/prompted.ts'
import { RAW_MESSAGE, rawMessages } from '#services/datasets/shapes/raw.ts'
import { SWIFT_MESSAGE, swiftMessages } from '#services/datasets/shapes/swift.ts'
import type { Shape } from '#services/datasets/shapes/shape.ts'
import { sqlName } from '#services/datasets/sql.ts'
import { KEY_COLUMNS, OPENAI_MESSAGE } from './columns.ts'
import { GROUP_COLUMNS, groupStatements } from './groups.ts'
import { firstFault, partOf, partedRows } from './parted.ts'
import type { Columns, Recipe, RecipeContext } from './recipe.ts'
import { TALK_LISTS, talkExpressions } from './talk.ts'

/** What each step says of its tokens, one list for each step; null where no step says anything. */
const TOKENS = {
  prompt_token_ids: 'BIGINT[][]',
  completion_token_ids: 'BIGINT[][]',
  logprobs: 'DOUBLE[][]',
  token_mask: 'BIGINT[][]',
} as const

const OF_STEPS = {
  prompt_token_ids: 'prompt_token_ids',
  completion_token_ids: 'completion_token_ids',
  logprobs: 'logprobs',
  token_mask: 'loss_mask',
} as const

const ofSteps = Object.fromEntries(
  Object.entries(OF_STEPS).map(([name, column]) => [
    name,
    `CASE WHEN count(s.${column}) > 0 THEN list(s.${column} ORDER BY s.step_index) END`,
  ]),
)

const SCORED = { reward_version: 'VARCHAR', parts: 'VARCHAR', trainer_advantage: 'DOUBLE' } as const

/** The columns of a shape beside those that all have: type and SQL over `w`. */
const TALK: Partial<Record<Shape, Readonly<Record<string, readonly [type: string, sql: string]>>>> = {
  openai: {
    prompt: [`${OPENAI_MESSAGE}[]`, 'w.asked_messages'],
    completion: [`${OPENAI_MESSAGE}[]`, 'w.said_messages'],
    completion_mask: ['INTEGER[]', 'w.said_loss_mask'],
    tools: ['VARCHAR', 'w.tools'],
    images: ['VARCHAR[]', 'list_concat(w.asked_images, w.said_images)'],
  },
  raw: {
    prompt: [`${RAW_MESSAGE}[]`, rawMessages('w.asked_messages', 'w.asked_texts', 'w.asked_message_images')],
    completion: [`${RAW_MESSAGE}[]`, rawMessages('w.said_messages', 'w.said_texts', 'w.said_message_images')],
    completion_mask: ['INTEGER[]', 'w.said_loss_mask'],
    tools: ['VARCHAR', 'w.tools'],
    images: ['VARCHAR[]', 'list_concat(w.asked_images, w.said_images)'],
  },
  swift: {
    messages: [
      `${SWIFT_MESSAGE}[]`,
      swiftMessages(
        'list_concat(w.asked_messages, w.said_messages)',
        'list_concat(w.asked_loss_mask, w.said_loss_mask)[i] = 1',
      ),
    ],
    tools: ['VARCHAR', 'w.tools'],
    images: ['VARCHAR[]', 'list_concat(w.asked_images, w.said_images)'],
  },
  verl: {
    data_source: ['VARCHAR', 'w.dataset'],
    prompt: [
      'STRUCT(role VARCHAR, content VARCHAR)[]',
      `list_transform(w.asked_messages, lambda m: {role: m.role, content: coalesce(m.content, '')})`,
    ],
    ability: ['VARCHAR', 'w.family'],
    reward_model: ['STRUCT("style" VARCHAR, ground_truth VARCHAR)', `{"style": 'rule', ground_truth: w.answer[1]}`],
    extra_info: [
      'STRUCT(split VARCHAR, "index" VARCHAR, trajectory_id VARCHAR, question VARCHAR)',
      `{split: w.split, "index": w.item_id, trajectory_id: w.trajectory_id, question: w.question}`,
    ],
    completion: [`${OPENAI_MESSAGE}[]`, 'w.said_messages'],
    tools: ['VARCHAR', 'w.tools'],
    images: ['VARCHAR[]', 'w.asked_images'],
  },
}

const talkOf = (shape: Shape) => TALK[shape] ?? {}

const columnsOf = (shape: Shape): Columns => ({
  ...KEY_COLUMNS,
  ...SCORED,
  ...GROUP_COLUMNS,
  ...Object.fromEntries(Object.entries(talkOf(shape)).map(([name, [type]]) => [name, type])),
  ...TOKENS,
})

function statements(context: RecipeContext): Gathering[] {
  const { files, parts, shape, advantage } = context
  const { messages, loss_mask, images, message_images, texts } = TALK_LISTS
  const members = Object.keys(GROUP_COLUMNS)
    .map((name) => `m.${name}`)
    .join(', ')
  const trajectories = (
    part: number,
  ) => `SELECT k.* EXCLUDE (rollout_index, group_size, advantage), k.advantage AS trainer_advantage, ${members}, i.answer, i.question
    FROM kept k LEFT JOIN group_members m ON m.trajectory_id = k.trajectory_id LEFT JOIN answers i ON i.item_id = k.item_id WHERE ${partOf(part, parts)}`
  const plain = [...Object.keys(KEY_COLUMNS), ...Object.keys(SCORED), ...Object.keys(GROUP_COLUMNS)]
  const select = [
    ...plain.map((name) => `w.${sqlName(name)}`),
    ...Object.values(talkOf(shape)).map(([, sql]) => sql),
    ...Object.keys(TOKENS).map((name) => `w.${name}`),
  ]
  const ofGroup = [
    ['no_group', 'w.group_id IS NULL'],
    ['no_reward', 'w.reward IS NULL OR NOT isfinite(w.reward)'],
    ['not_counted', `coalesce(w.status, '') NOT IN ('completed', 'truncated') OR w.extra IS NULL`],
    ['extra', 'w.extra'],
  ] as const
  // Without advantages a row needs no group.
  const faults = [...(advantage === 'none' ? [] : ofGroup), ...messageListFaults(shape)]
  return [
    ...groupStatements(context),
    answersStatement(context),
    ...partedRows(
      columnsOf(shape),
      parts,
      (part) => `WITH ${talkExpressions({
        files,
        lists: {
          messages,
          loss_mask,
          images,
          ...(shape === 'openai' ? {} : { message_images }),
          ...(shape === 'raw' ? { texts } : {}),
        },
        trajectories: trajectories(part),
        ofSteps,
        stepColumns: Object.values(OF_STEPS),
      })}
      SELECT ${select.join(', ')}, ${firstFault(faults)} FROM talk w ORDER BY w.run_id NULLS LAST, w.trajectory_id`,
    ),
  ]
}

/** `answers` (item_id, question, answer) of the items of selected trajectories. */
export function answersStatement({ files }: RecipeContext): string {
  return `CREATE TEMP TABLE answers AS SELECT item_id, question, answer FROM ${relation('items', files, ['item_id', 'question', 'answer'])}
    WHERE item_id IN (SELECT item_id FROM kept)`
}

export const grpo: Recipe = {
  description:
    'One row a trajectory with its group, reward, parts, advantage (over the whole group, as the analytics have it), and the tokens, log probabilities and masks of each step where they were sent. With advantage=none those without a group, too.',
  shapes: ['openai', 'swift', 'verl', 'raw'],
  columns: ({ shape }) => columnsOf(shape),
  imageColumns: ['images'],
  reasons: {
    no_group: 'It has no group.',
    no_reward: 'It has no finite reward.',
    not_counted: 'It ended neither completed nor truncated, so its group does not count it.',
    extra: 'Another rollout stands for its place in the group.',
  },
  statements,
}
