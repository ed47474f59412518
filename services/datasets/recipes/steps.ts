/** `steps`: one row a step with its bodies. */
import type { Gathering } from '#services/lake/jobs.ts'
import { lakeColumns, MESSAGE_TYPE, STEP_CALL_TYPE } from '#schemas/lake.ts'
import { relation } from '#services/datasets/files.ts'
import { STEP_IMAGES } from '#services/datasets/messages.ts'
import { sqlName } from '#services/datasets/sql.ts'
import { KEY_COLUMNS } from './columns.ts'
import { partOf, partedRows } from './parted.ts'
import type { Recipe, RecipeContext } from './recipe.ts'

/** Columns of the lake's steps, as they are. */
const OF_STEP = [
  'step_index',
  'action_kind',
  'raw_output',
  'content',
  'think_text',
  'answer_text',
  'tool_calls',
  'observation',
  'n_tool_calls',
  'turn_format_ok',
  'violation_codes',
  'obs_truncated',
  'obs_is_error',
  'env_step_reward',
  'done',
  'truncated',
  'prompt_tokens',
  'completion_tokens',
  'obs_tokens',
  'prompt_token_ids',
  'completion_token_ids',
  'logprobs',
  'loss_mask',
  'finish_reason',
  'gen_ms',
  'started_at',
  'ended_at',
  'info',
] as const

const types = lakeColumns('steps')

const COLUMNS = {
  ...KEY_COLUMNS,
  ...Object.fromEntries(OF_STEP.map((name) => [name, types[name] ?? 'VARCHAR'])),
  tool_calls: `${STEP_CALL_TYPE}[]`,
  observation: `${MESSAGE_TYPE}[]`,
  images: 'VARCHAR[]',
}

/** Trajectories without a step give no row. */
export const NO_STEPS = { no_steps: 'It has no step.' } as const

/** A query for what `NO_STEPS` leaves out, of `kept`. */
export function withoutSteps({ files }: RecipeContext): string {
  return `SELECT 'no_steps' AS why, count(*) AS n FROM kept k
    WHERE NOT EXISTS (SELECT 1 FROM ${relation('steps', files, ['trajectory_id'])} s WHERE s.trajectory_id = k.trajectory_id) HAVING count(*) > 0`
}

function statements(context: RecipeContext): Gathering[] {
  const { files, parts } = context
  const steps = relation('steps', files, ['trajectory_id', ...OF_STEP, 'images'])
  const key = Object.keys(KEY_COLUMNS).map((name) => `k.${sqlName(name)}`)
  const own = OF_STEP.map((name) => `s.${sqlName(name)}`)
  const made = partedRows(
    COLUMNS,
    parts,
    (part) => `SELECT ${[...key, ...own].join(', ')}, ${STEP_IMAGES}, NULL::VARCHAR
    FROM ${steps} s JOIN kept k ON k.trajectory_id = s.trajectory_id WHERE k.${partOf(part, parts)}
    ORDER BY k.run_id NULLS LAST, k.trajectory_id, s.step_index`,
  )
  return [...made, `CREATE OR REPLACE TEMP VIEW not_taken AS ${withoutSteps(context)}`]
}

export const steps: Recipe = {
  description: 'One row a step with its bodies.',
  shapes: ['openai', 'raw'],
  columns: () => COLUMNS,
  imageColumns: ['images'],
  reasons: NO_STEPS,
  statements,
}
