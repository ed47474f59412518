/** `items`: one row an item with how its rollouts went. */
import type { Gathering } from '#services/lake/jobs.ts'
import { relation } from '#services/datasets/files.ts'
import type { Shape } from '#services/datasets/shapes/shape.ts'
import { marks } from '#services/datasets/shapes/conversation.ts'
import { firstFault } from './parted.ts'
import type { Columns, Recipe, RecipeContext } from './recipe.ts'

type Written = Readonly<Record<string, readonly [type: string, sql: string]>>

const PLAIN: Written = {
  item_id: ['VARCHAR', 'w.item_id'],
  dataset: ['VARCHAR', 'w.dataset'],
  family: ['VARCHAR', 'w.family'],
  split: ['VARCHAR', 'w.split'],
  question: ['VARCHAR', 'w.question'],
  question_type: ['VARCHAR', 'w.question_type'],
  choices: ['VARCHAR[]', 'w.choices'],
  answer: ['VARCHAR[]', 'w.answer'],
  answer_type: ['VARCHAR', 'w.answer_type'],
  images: ['VARCHAR[]', 'w.image_ids'],
  metadata: ['VARCHAR', 'w.metadata'],
}

const PLAYED: Written = {
  n_rollouts: ['BIGINT', 'w.n_rollouts'],
  n_pass: ['BIGINT', 'w.n_pass'],
  pass_rate: ['DOUBLE', 'w.n_pass / nullif(w.n_judged, 0)'],
}

const PROMPT = `CASE WHEN ${marks('w.question')} = 0 THEN repeat('<image>', len(w.image_ids)) || w.question ELSE w.question END`

const VERL: Written = {
  data_source: ['VARCHAR', 'w.dataset'],
  prompt: ['STRUCT(role VARCHAR, content VARCHAR)[]', `[{role: 'user', content: ${PROMPT}}]`],
  ability: ['VARCHAR', 'w.family'],
  reward_model: ['STRUCT("style" VARCHAR, ground_truth VARCHAR)', `{"style": 'rule', ground_truth: w.answer[1]}`],
  extra_info: [
    'STRUCT(split VARCHAR, "index" VARCHAR, question VARCHAR, answer VARCHAR[])',
    `{split: w.split, "index": w.item_id, question: w.question, answer: w.answer}`,
  ],
  images: ['VARCHAR[]', 'w.image_ids'],
}

const writtenOf = (shape: Shape): Written => (shape === 'verl' ? { ...VERL, ...PLAYED } : { ...PLAIN, ...PLAYED })

const columnsOf = (shape: Shape): Columns =>
  Object.fromEntries(Object.entries(writtenOf(shape)).map(([name, [type]]) => [name, type]))

const LAKE = [
  'item_id',
  'dataset',
  'family',
  'split',
  'question',
  'question_type',
  'choices',
  'answer',
  'answer_type',
  'image_ids',
  'metadata',
]

/** Counted in trajectories, as everything is. */
function statements({ files, shape }: RecipeContext): Gathering[] {
  const faults =
    shape === 'verl'
      ? ([
          ['no_answer', 'coalesce(len(w.answer), 0) = 0'],
          ['several_answers', 'len(w.answer) > 1'],
          ['image_marks', `${marks('w.question')} NOT IN (0, len(w.image_ids))`],
        ] as const)
      : []
  return [
    `CREATE TEMP TABLE item_rows AS
    WITH played AS (
      SELECT item_id, count(*) AS n_rollouts, count(*) FILTER (correct) AS n_pass, count(correct) AS n_judged FROM kept WHERE item_id IS NOT NULL GROUP BY item_id
    ),
    registered AS (
      SELECT p.*, i.* EXCLUDE (item_id, image_ids), coalesce(i.image_ids, []) AS image_ids, i.item_id IS NOT NULL AS is_known
      FROM played p LEFT JOIN ${relation('items', files, LAKE)} i ON i.item_id = p.item_id
    )
    SELECT ${Object.entries(writtenOf(shape))
      .map(([name, [type, sql]]) => `CAST(${sql} AS ${type}) AS ${name}`)
      .join(
        ', ',
      )}, w.item_id AS row_item, CASE WHEN NOT is_known THEN 'no_item' ELSE ${firstFault(faults)} END AS why, w.n_rollouts AS row_rollouts
    FROM registered w ORDER BY w.item_id`,
    `CREATE TEMP VIEW rows AS SELECT * EXCLUDE (row_item, why, row_rollouts) FROM item_rows WHERE why IS NULL`,
    `CREATE TEMP VIEW not_taken AS
    SELECT why, sum(n)::BIGINT AS n FROM (SELECT why, row_rollouts AS n FROM item_rows WHERE why IS NOT NULL
      UNION ALL SELECT 'no_item', count(*) FROM kept WHERE item_id IS NULL HAVING count(*) > 0) GROUP BY why`,
  ]
}

export const items: Recipe = {
  description:
    'One row an item that has a selected rollout, with its question, answers, images and how often it was passed.',
  shapes: ['openai', 'verl', 'raw'],
  columns: ({ shape }) => columnsOf(shape),
  imageColumns: ['images'],
  reasons: { no_item: 'Its item was never registered.' },
  statements,
}
