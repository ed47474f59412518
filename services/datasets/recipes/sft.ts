/** `sft`: one row a trajectory with its conversation, for supervised fine-tuning. */
import type { Gathering } from '#services/lake/jobs.ts'
import { TALK_SHAPES } from '#services/datasets/shapes/shapes.ts'
import { SHAPES } from '#services/datasets/shapes/shape.ts'
import { sqlName } from '#services/datasets/sql.ts'
import { KEY_COLUMNS } from './columns.ts'
import { layered } from './layers.ts'
import { firstFault, partOf, partedRows } from './parted.ts'
import type { Columns, Recipe, RecipeContext } from './recipe.ts'
import { TALK_LISTS, talkExpressions } from './talk.ts'

const columnsOf = (shape: RecipeContext['shape']): Columns => ({
  ...KEY_COLUMNS,
  ...Object.fromEntries(Object.entries(TALK_SHAPES[shape].columns).map(([name, [type]]) => [name, type])),
})

function statements({ files, parts, shape }: RecipeContext): Gathering[] {
  const { parts: needsParts, layers, columns, faults } = TALK_SHAPES[shape]
  const { messages, loss_mask, images, message_images, texts } = TALK_LISTS
  const lists = { messages, loss_mask, images, ...(needsParts ? { message_images, texts } : {}) }
  const joined = Object.keys(lists).map((name) => `list_concat(asked_${name}, said_${name}) AS ${name}`)
  const key = Object.keys(KEY_COLUMNS).map((name) => `w.${sqlName(name)}`)
  const written = Object.values(columns).map(([, sql]) => sql)
  return partedRows(
    columnsOf(shape),
    parts,
    (
      part,
    ) => `WITH ${talkExpressions({ files, lists, trajectories: `SELECT * FROM kept WHERE ${partOf(part, parts)}` })},
    whole AS (SELECT talk.* EXCLUDE (${Object.keys(lists)
      .flatMap((name) => [`asked_${name}`, `said_${name}`])
      .join(', ')}), ${joined.join(', ')} FROM talk)
    SELECT ${[...key, ...written].join(', ')}, ${firstFault(faults)} FROM ${layered('whole', layers)} w
    ORDER BY w.run_id NULLS LAST, w.trajectory_id`,
  )
}

export const sft: Recipe = {
  description: 'One row a trajectory with its messages, for supervised fine-tuning.',
  shapes: SHAPES,
  columns: ({ shape }) => columnsOf(shape),
  imageColumns: ['images'],
  reasons: {},
  statements,
}
