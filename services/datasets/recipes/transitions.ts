/**
 * `transitions`: what was seen, done, paid and seen next. By the words of Gymnasium one row a step; by those of Minari
 * and RLDS one more row for each episode, which holds the last observation and whose action is padding.
 */
import type { Gathering } from '#services/lake/jobs.ts'
import { relation } from '#services/datasets/files.ts'
import {
  STEP_ACTION,
  STEP_COLUMNS,
  STEP_IMAGES,
  STEP_OBSERVATION,
  PROMPT_IMAGES,
  PROMPT_MESSAGES,
} from '#services/datasets/messages.ts'
import { sqlName } from '#services/datasets/sql.ts'
import { KEY_COLUMNS, OPENAI_MESSAGE } from './columns.ts'
import { partOf, partedRows } from './parted.ts'
import type { Columns, Convention, Recipe, RecipeContext } from './recipe.ts'
import { NO_STEPS, withoutSteps } from './steps.ts'
import { prompts } from './talk.ts'

type Written = Readonly<Record<string, readonly [type: string, sql: string]>>

const MESSAGES = `${OPENAI_MESSAGE}[]`

/**
 * What an episode paid: its reward with its last step, so that the rewards of an episode add up to its own; what the
 * environment paid step by step is beside it. An end that the environment made is a termination, any other a truncation.
 */
const WRITTEN: Readonly<Record<Convention, Written>> = {
  gymnasium: {
    step_index: ['BIGINT', 'w.step_index'],
    observation: [MESSAGES, 'w.seen'],
    action: [OPENAI_MESSAGE, 'w.done'],
    reward: ['DOUBLE', 'w.paid'],
    next_observation: [MESSAGES, 'w.seen_next'],
    terminated: ['BOOLEAN', 'w.is_final AND w.is_terminal'],
    truncated: ['BOOLEAN', 'w.is_final AND w.is_truncated'],
    env_step_reward: ['DOUBLE', 'w.env_step_reward'],
    images: ['VARCHAR[]', 'w.seen_images'],
    next_images: ['VARCHAR[]', 'w.seen_next_images'],
  },
  minari: {
    episode_id: ['BIGINT', 'w.episode'],
    observations: [MESSAGES, 'w.seen'],
    actions: [OPENAI_MESSAGE, 'w.done'],
    rewards: ['DOUBLE', 'w.paid'],
    terminations: ['BOOLEAN', 'w.is_final AND w.is_terminal'],
    truncations: ['BOOLEAN', 'w.is_final AND w.is_truncated'],
    infos: [
      'STRUCT(step_index BIGINT, env_step_reward DOUBLE)',
      '{step_index: w.step_index, env_step_reward: w.env_step_reward}',
    ],
    images: ['VARCHAR[]', 'w.seen_images'],
  },
  rlds: {
    is_first: ['BOOLEAN', 'w.step_index = w.first_index'],
    is_last: ['BOOLEAN', 'w.is_after'],
    is_terminal: ['BOOLEAN', 'w.is_after AND w.is_terminal'],
    observation: [MESSAGES, 'w.seen'],
    action: [OPENAI_MESSAGE, 'w.done'],
    reward: ['DOUBLE', 'w.paid'],
    discount: [
      'DOUBLE',
      'CASE WHEN NOT w.is_after THEN CASE WHEN w.is_final AND w.is_terminal THEN 0::DOUBLE ELSE 1::DOUBLE END END',
    ],
    images: ['VARCHAR[]', 'w.seen_images'],
  },
}

const conventionOf = ({ options }: Pick<RecipeContext, 'options'>): Convention => options.convention ?? 'gymnasium'

/** The reward of a step takes the name that the reward of the trajectory has elsewhere. */
const KEYS = Object.entries(KEY_COLUMNS).filter(([name]) => name !== 'reward')

const columnsOf = (convention: Convention): Columns => ({
  ...Object.fromEntries(KEYS),
  trajectory_reward: 'DOUBLE',
  ...Object.fromEntries(Object.entries(WRITTEN[convention]).map(([name, [type]]) => [name, type])),
})

/** In Minari's files the padding of the last row is never null. */
const PADDING: Readonly<Record<Convention, string>> = {
  gymnasium: 'NULL',
  rlds: 'NULL',
  minari: `CAST({role: 'assistant', content: '', tool_calls: NULL, tool_call_id: NULL, "name": NULL} AS ${OPENAI_MESSAGE})`,
}

function partQuery(context: RecipeContext, part: number): string {
  const { files, parts } = context
  const convention = conventionOf(context)
  const perTrajectory = 'OVER (PARTITION BY k.trajectory_id ORDER BY s.step_index)'
  const whole = 'OVER (PARTITION BY k.trajectory_id)'
  const key = [...KEYS.map(([name]) => `w.${sqlName(name)}`), 'w.reward AS trajectory_reward']
  const after = `UNION ALL BY NAME SELECT * REPLACE (step_index + 1 AS step_index, true AS is_after, false AS is_final, seen_next AS seen, seen_next_images AS seen_images,
      ${PADDING[convention]} AS done, ${convention === 'minari' ? '0::DOUBLE' : 'NULL::DOUBLE'} AS paid, NULL::DOUBLE AS env_step_reward) FROM acted WHERE is_final`
  return `WITH acted AS (
      SELECT k.*, e.episode, s.step_index, min(s.step_index) ${whole} AS first_index, s.step_index = max(s.step_index) ${whole} AS is_final, false AS is_after,
        coalesce(lag(${STEP_OBSERVATION}) ${perTrajectory}, ${PROMPT_MESSAGES}) AS seen, coalesce(lag(${STEP_IMAGES}) ${perTrajectory}, ${PROMPT_IMAGES}) AS seen_images,
        ${STEP_ACTION} AS done, ${STEP_OBSERVATION} AS seen_next, ${STEP_IMAGES} AS seen_next_images,
        CASE WHEN s.step_index = max(s.step_index) ${whole} THEN coalesce(k.reward, 0) ELSE 0::DOUBLE END AS paid, s.env_step_reward,
        coalesce(k.status = 'completed', false) AS is_terminal, coalesce(k.status <> 'completed', false) AS is_truncated
      FROM ${relation('steps', files, [...STEP_COLUMNS, 'env_step_reward'])} s
      JOIN (SELECT * FROM kept WHERE ${partOf(part, parts)}) k ON k.trajectory_id = s.trajectory_id
      JOIN episodes e ON e.trajectory_id = k.trajectory_id
      LEFT JOIN ${prompts(files)} p ON p.trajectory_id = k.trajectory_id
    )
    SELECT ${[...key, ...Object.values(WRITTEN[convention]).map(([, sql]) => sql)].join(', ')}, NULL::VARCHAR
    FROM (SELECT * FROM acted ${convention === 'gymnasium' ? '' : after}) w ORDER BY w.run_id NULLS LAST, w.trajectory_id, w.step_index`
}

function statements(context: RecipeContext): Gathering[] {
  const { files, parts } = context
  return [
    `CREATE TEMP TABLE episodes AS SELECT trajectory_id, row_number() OVER (ORDER BY run_id NULLS LAST, trajectory_id) - 1 AS episode FROM kept
    WHERE trajectory_id IN (SELECT trajectory_id FROM ${relation('steps', files, ['trajectory_id'])})`,
    ...partedRows(columnsOf(conventionOf(context)), parts, (part) => partQuery(context, part)),
    `CREATE OR REPLACE TEMP VIEW not_taken AS ${withoutSteps(context)}`,
  ]
}

export const transitions: Recipe = {
  description:
    'One row a step: observation, action, reward, next observation, terminated, truncated. With convention=minari or rlds in their words, with one more row for each episode.',
  shapes: ['openai'],
  columns: (asked) => columnsOf(conventionOf(asked)),
  imageColumns: ['images', 'next_images'],
  reasons: NO_STEPS,
  statements,
}
