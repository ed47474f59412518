/**
 * `preference`: rollouts of one group held against each other. Only those that were selected and that count in their
 * group are compared, and only where they began with the same prompt.
 */
import type { Gathering } from '#services/lake/jobs.ts'
import { answerFaults, PREFERENCE_SHAPES, type PreferenceRow } from '#services/datasets/shapes/preferred.ts'
import { sqlName } from '#services/datasets/sql.ts'
import type { Shape } from '#services/datasets/shapes/shape.ts'
import { groupStatements } from './groups.ts'
import { firstFault, hasPart, partOf } from './parted.ts'
import type { Asked, Columns, Recipe, RecipeContext } from './recipe.ts'
import { TALK_LISTS, talkExpressions } from './talk.ts'

/** How many pairs a group gives where nothing else is asked: its best against its worst. */
export const PAIRS_PER_GROUP = 1

const GROUP = {
  run_id: 'VARCHAR',
  group_id: 'VARCHAR',
  item_id: 'VARCHAR',
  policy_version: 'BIGINT',
  train_step: 'BIGINT',
} as const

const KEYS = {
  pairs: {
    ...GROUP,
    chosen_trajectory_id: 'VARCHAR',
    rejected_trajectory_id: 'VARCHAR',
    chosen_reward: 'DOUBLE',
    rejected_reward: 'DOUBLE',
    margin: 'DOUBLE',
  },
  kto: { ...GROUP, trajectory_id: 'VARCHAR', reward: 'DOUBLE' },
  ranked: { ...GROUP, trajectory_ids: 'VARCHAR[]', rewards: 'DOUBLE[]' },
} as const satisfies Record<PreferenceRow, Columns>

const kindOf = ({ options }: Pick<Asked, 'options'>): PreferenceRow => options.preference ?? 'pairs'

function writtenOf(shape: Shape, kind: PreferenceRow) {
  return PREFERENCE_SHAPES[shape]?.[kind] ?? {}
}

const columnsOf = (asked: Asked): Columns => ({
  ...KEYS[kindOf(asked)],
  ...Object.fromEntries(Object.entries(writtenOf(asked.shape, kindOf(asked))).map(([name, [type]]) => [name, type])),
})

/** `talks`: the conversation of each selected trajectory with its place in its group, and `why` it cannot be compared. */
function talkStatements(context: RecipeContext): Gathering[] {
  const { files, parts, shape } = context
  const { messages, loss_mask, images, message_images } = TALK_LISTS
  const lists = { messages, loss_mask, images, message_images }
  const faults = [
    ['no_group', 'w.group_id IS NULL'],
    ['no_reward', 'w.reward IS NULL OR NOT isfinite(w.reward)'],
    ['not_counted', `coalesce(w.status, '') NOT IN ('completed', 'truncated') OR w.extra IS NULL`],
    ['extra', 'w.extra'],
    ...answerFaults(shape),
  ] as const
  const query = (part: number) => `WITH ${talkExpressions({
    files,
    lists,
    trajectories: `SELECT k.* EXCLUDE (rollout_index, group_size, advantage), m.place, m.extra FROM kept k
      LEFT JOIN group_members m ON m.trajectory_id = k.trajectory_id WHERE ${partOf(part, parts)}`,
  })} SELECT w.run_id, w.group_id, w.item_id, w.policy_version, w.train_step, w.trajectory_id, w.reward, w.correct, w.place, w.tools,
    ${Object.keys(lists)
      .map((name) => `w.asked_${name}, w.said_${name}`)
      .join(', ')}, ${firstFault(faults)} AS why FROM talk w`
  return Array.from({ length: parts }, (_, part) =>
    part === 0
      ? `CREATE TEMP TABLE talks AS ${query(part)}`
      : { sql: `INSERT INTO talks ${query(part)}`, onlyIf: hasPart(part, parts) },
  )
}

const SAME_GROUP = 'r.group_id = c.group_id AND r.run_id IS NOT DISTINCT FROM c.run_id'

/** `preferred`: what a row is made of, by the ids of its trajectories, with `n` in the order of rows. */
function preferredStatement({ options }: RecipeContext, kind: PreferenceRow): string {
  if (kind === 'kto')
    return `CREATE TEMP TABLE preferred AS SELECT trajectory_id AS c_id, row_number() OVER (ORDER BY run_id NULLS LAST, group_id, place) AS n
      FROM talks WHERE why IS NULL AND correct IS NOT NULL`
  if (kind === 'ranked')
    return `CREATE TEMP TABLE preferred AS SELECT c_id, ids, row_number() OVER (ORDER BY run_id NULLS LAST, group_id, c_id) AS n FROM (
      SELECT run_id, group_id, list(trajectory_id ORDER BY reward DESC, place) AS ids, ids[1] AS c_id
      FROM talks WHERE why IS NULL GROUP BY run_id, group_id, asked_messages, tools HAVING count(*) > 1 AND min(reward) < max(reward))`
  const most = options.pairsPerGroup ?? PAIRS_PER_GROUP
  const nth = (order: string) =>
    `row_number() OVER (PARTITION BY run_id, group_id, asked_messages, tools ORDER BY ${order})`
  // The widest pairs are of the best and the worst, so that a group of any size costs no more than its best against its worst.
  return `CREATE TEMP TABLE preferred AS
    WITH sides AS (
      SELECT run_id, group_id, trajectory_id, reward, place, dense_rank() OVER (PARTITION BY run_id, group_id ORDER BY asked_messages, tools) AS prompt,
        ${nth('reward DESC, place')} AS from_best, ${nth('reward, place')} AS from_worst
      FROM talks WHERE why IS NULL
    )
    SELECT *, row_number() OVER (ORDER BY run_id NULLS LAST, group_id, nth) AS n FROM (
      SELECT c.run_id, c.group_id, c.trajectory_id AS c_id, r.trajectory_id AS r_id,
        row_number() OVER (PARTITION BY c.run_id, c.group_id ORDER BY c.reward - r.reward DESC, c.place, r.place) AS nth
      FROM sides c JOIN sides r ON ${SAME_GROUP} AND c.prompt = r.prompt AND c.reward > r.reward
      WHERE c.from_best <= ${most} AND r.from_worst <= ${most}
    ) WHERE nth <= ${most}`
}

const FROM: Readonly<Record<PreferenceRow, string>> = {
  pairs: 'preferred p JOIN talks c ON c.trajectory_id = p.c_id JOIN talks r ON r.trajectory_id = p.r_id',
  kto: 'preferred p JOIN talks c ON c.trajectory_id = p.c_id',
  ranked: `preferred p JOIN talks c ON c.trajectory_id = p.c_id JOIN (
    SELECT u.n, list(t.said_messages ORDER BY t.reward DESC, t.place) AS all_said, list(t.said_images ORDER BY t.reward DESC, t.place) AS all_images,
      list(t.reward ORDER BY t.reward DESC, t.place) AS rewards
    FROM (SELECT n, unnest(ids) AS id FROM preferred) u JOIN talks t ON t.trajectory_id = u.id GROUP BY u.n
  ) x ON x.n = p.n`,
}

const USED: Readonly<Record<PreferenceRow, string>> = {
  pairs: 'SELECT c_id FROM preferred UNION SELECT r_id FROM preferred',
  kto: 'SELECT c_id FROM preferred',
  ranked: 'SELECT unnest(ids) FROM preferred',
}

const KEY_SQL: Readonly<Record<string, string>> = {
  chosen_trajectory_id: 'c.trajectory_id',
  rejected_trajectory_id: 'r.trajectory_id',
  chosen_reward: 'c.reward',
  rejected_reward: 'r.reward',
  margin: 'c.reward - r.reward',
  trajectory_ids: 'p.ids',
  rewards: 'x.rewards',
}

/** Whether rewards differ among what can be compared. */
const differs = (among: string) => {
  const rewards = (of: 'min' | 'max') => `${of}(reward) FILTER (why IS NULL) OVER (PARTITION BY ${among})`
  return `coalesce(${rewards('min')} < ${rewards('max')}, false)`
}

function statements(context: RecipeContext): Gathering[] {
  const kind = kindOf(context)
  const key = Object.keys(KEYS[kind]).map((name) => KEY_SQL[name] ?? `c.${sqlName(name)}`)
  const columns = Object.entries(columnsOf(context)).map(([name, type]) => `${sqlName(name)} ${type}`)
  const unused = kind === 'kto' ? 'no_verdict' : 'no_contrast'
  return [
    ...groupStatements(context),
    ...talkStatements(context),
    preferredStatement(context, kind),
    `CREATE TEMP TABLE rows (${columns.join(', ')})`,
    `INSERT INTO rows SELECT ${[...key, ...Object.values(writtenOf(context.shape, kind)).map(([, sql]) => sql)].join(', ')} FROM ${FROM[kind]} ORDER BY p.n`,
    `CREATE TEMP VIEW not_taken AS SELECT why, count(*) AS n FROM (
      SELECT trajectory_id, coalesce(why, CASE WHEN ${kind === 'kto' ? 'true' : 'NOT differs_in_group OR differs_in_prompt'} THEN '${unused}' ELSE 'other_prompt' END) AS why
      FROM (SELECT trajectory_id, why, ${differs('run_id, group_id')} AS differs_in_group, ${differs('run_id, group_id, asked_messages, tools')} AS differs_in_prompt FROM talks)
    ) WHERE trajectory_id NOT IN (${USED[kind]}) GROUP BY why`,
  ]
}

export const preference: Recipe = {
  description:
    'Rollouts of one group held against each other: pairs of chosen and rejected with their margin, with preference=kto one labelled rollout a row, with preference=ranked one ranked list a group.',
  shapes: ['openai', 'sharegpt', 'swift'],
  columns: columnsOf,
  imageColumns: ['images', 'chosen_images', 'rejected_images'],
  reasons: {
    no_group: 'It has no group.',
    no_reward: 'It has no finite reward.',
    not_counted: 'It ended neither completed nor truncated, so its group does not count it.',
    extra: 'Another rollout stands for its place in the group.',
    no_contrast: 'All of its group with its prompt have one reward, or others stand for it.',
    other_prompt: 'Those of its group with another reward began with another prompt.',
    no_verdict: 'It was not judged right or wrong.',
  },
  statements,
}
