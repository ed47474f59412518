/** The selection as common table expressions: ../candidates.ts and ../selection.ts, said to Spark. */
import { isCounted, leftOut, NARROW, TESTS } from '#services/datasets/candidates.ts'
import { BY_UNIT, heldOut, limitCut, perItemCut, shardCut, type Cut } from '#services/datasets/cuts.ts'
import type { DatasetRequest } from '#services/datasets/request.ts'
import { bestScores } from '#services/datasets/scores.ts'
import { SPARK, sparkTable } from './dialect.ts'

const { name, text } = SPARK

const OF_KNOWN = NARROW.filter((column) => column !== 'image_ids').map(name)
const OF_BEST = ['reward', 'correct', 'reward_version', 'parts', 'answer_match', 'format_ok']
const OF_ITEM = ['dataset', 'family', 'split']
const COLUMNS = [...OF_KNOWN, ...OF_BEST, ...OF_ITEM, 'unit'].join(', ')

/** The fields of trajectory.started that an unfinished trajectory is judged by, before it counts as unfinished. */
const JUDGED_BY: Readonly<Record<string, string>> = {
  item_id: 'STRING',
  group_id: 'STRING',
  policy_version: 'BIGINT',
  train_step: 'BIGINT',
  actor_model: 'STRING',
}

/** Trajectories that have events but no finish, for those who count. They are never among the rows. */
function unfinished(): string[] {
  const columns = NARROW.map((column) => {
    if (column === 'run_id' || column === 'trajectory_id' || column === 'n_conflicts') return `u.${column}`
    const type = JUDGED_BY[column]
    const said = type === undefined ? 'NULL' : `TRY_CAST(get_json_object(s.data, ${text(`$.${column}`)}) AS ${type})`
    return `${said} AS ${name(column)}`
  })
  return [
    `unfinished AS (SELECT min(e.run_id) FILTER (WHERE verdict = 'accepted') AS run_id, e.trajectory_id,
      min(e.\`partition\`) AS \`partition\`, min(e.\`offset\`) FILTER (WHERE verdict = 'accepted' AND type = 'trajectory.started') AS \`offset\`,
      count(*) FILTER (WHERE verdict = 'conflict') AS n_conflicts
    FROM ${sparkTable('events', ['run_id', 'trajectory_id', 'type', 'verdict', 'partition', 'offset'])} e
    LEFT ANTI JOIN ${sparkTable('trajectories', ['trajectory_id'])} t ON t.trajectory_id = e.trajectory_id
    WHERE e.trajectory_id IS NOT NULL AND verdict IN ('accepted', 'conflict')
    GROUP BY e.trajectory_id HAVING count(*) FILTER (WHERE verdict = 'accepted') > 0)`,
    `starts AS (SELECT u.trajectory_id, CASE WHEN get_json_object(headers, ${text('$.ce_type')}) IS NOT NULL THEN decode(raw, 'UTF-8')
      ELSE get_json_object(decode(raw, 'UTF-8'), ${text('$.data')}) END AS data
    FROM ${sparkTable('events', ['partition', 'offset', 'headers', 'raw'])} e
    JOIN unfinished u ON u.\`partition\` = e.\`partition\` AND u.\`offset\` = e.\`offset\`)`,
    `known AS (SELECT ${NARROW.map(name).join(', ')}, false AS unfinished FROM ${sparkTable('trajectories', NARROW)}
    UNION ALL SELECT ${columns.join(', ')}, true FROM unfinished u LEFT JOIN starts s ON s.trajectory_id = u.trajectory_id)`,
  ]
}

/** What is of no run that is asked for gives no row and takes no place, so that files without these runs need not be read. */
function finished({ conditions }: DatasetRequest): string {
  const runs = conditions.run?.any ?? []
  const where = runs.length === 0 ? '' : ` WHERE run_id IN (${runs.map(SPARK.value).join(', ')})`
  return `known AS (SELECT *, false AS unfinished FROM ${sparkTable('trajectories', NARROW)}${where})`
}

function cutsOf({ limit, seed, shaping = {} }: DatasetRequest): Cut[] {
  const { perItem, shard } = shaping
  return [
    ...(perItem === undefined ? [] : [perItemCut(perItem, seed)]),
    ...(limit === undefined ? [] : [limitCut(limit, seed, BY_UNIT)]),
    ...(shard === undefined ? [] : [shardCut(shard, BY_UNIT)]),
  ]
}

function holdout(from: string, { shaping = {} }: DatasetRequest): string[] {
  if (shaping.holdout === undefined || shaping.part === undefined) return []
  return [
    `SELECT ${COLUMNS}, CASE WHEN left_out IS NULL AND ${heldOut(shaping.holdout, shaping.part)} THEN 'filter:holdout' ELSE left_out END AS left_out FROM ${from}`,
  ]
}

/** Those that take no place are partitions of their own, so that they do not move the others. */
function cut(from: string, { why, among, each, order, leavesOut }: Cut): string {
  const counts = `left_out IS NULL AND ${among}`
  const place = `dense_rank() OVER (PARTITION BY ${counts}${each === undefined ? '' : `, ${each}`} ORDER BY ${order})`
  return `SELECT ${COLUMNS}, CASE WHEN ${counts} AND ${leavesOut('place')} THEN 'filter:${why}' ELSE left_out END AS left_out
    FROM (SELECT ${COLUMNS}, left_out, ${place} AS place FROM ${from})`
}

/** Expressions that end in `candidates`, whose rows with a null in `left_out` are the dataset. */
export function sparkCandidates(request: DatasetRequest, counting: boolean): string[] {
  const judged = `SELECT ${OF_KNOWN.map((column) => `t.${column}`).join(', ')}, ${OF_BEST.map((column) => `b.${column}`).join(', ')},
      ${OF_ITEM.map((column) => `i.${column}`).join(', ')}, t.trajectory_id AS unit,
      ${leftOut(request, { ...TESTS, missing_image: 'l.trajectory_id IS NOT NULL' }, SPARK)} AS left_out
    FROM known t LEFT JOIN best b ON b.trajectory_id = t.trajectory_id
    LEFT JOIN ${sparkTable('items', ['item_id', ...OF_ITEM])} i ON i.item_id = t.item_id
    LEFT JOIN lacking l ON l.trajectory_id = t.trajectory_id
    WHERE ${isCounted(request, SPARK)}`
  const stages: ((from: string) => string[])[] = [
    () => [judged],
    (from) => holdout(from, request),
    ...cutsOf(request).map((one) => (from: string) => [cut(from, one)]),
  ]
  const named: string[] = []
  for (const stage of stages)
    for (const sql of stage(`judged_${named.length}`)) named.push(`judged_${named.length + 1} AS (${sql})`)
  return [
    ...(counting ? unfinished() : [finished(request)]),
    `lacking AS (SELECT DISTINCT w.trajectory_id FROM (SELECT trajectory_id, explode(image_ids) AS image_id FROM known) w
    LEFT ANTI JOIN (SELECT image_id FROM images WHERE stored) h ON h.image_id = w.image_id)`,
    `best AS (${bestScores(sparkTable, 'known', request.rewardVersion, SPARK)})`,
    ...named,
    `candidates AS (SELECT * FROM judged_${named.length})`,
  ]
}
