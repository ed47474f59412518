/**
 * Trajectories that have events but no trajectory.finished at a snapshot. The lake's trajectories has finished ones
 * only, so what is known of the others is read from the raw events.
 */
import { inScope, relation, type LakeFiles } from './files.ts'
import { PROMPT_IMAGES } from './messages.ts'

/** Parts of a message's content as text, images as their mark: what the lake does with messages of finished ones. */
const content = (message: string) => `CASE json_type(${message}, '$.content')
  WHEN 'ARRAY' THEN array_to_string(list_transform(CAST(${message} -> '$.content' AS JSON[]), lambda part:
    CASE WHEN json_type(part) = 'VARCHAR' THEN part ->> '$' WHEN json_exists(part, '$.text') THEN part ->> '$.text'
      WHEN (part ->> '$.type') LIKE '%image%' THEN '<image>' ELSE '' END), '')
  ELSE ${message} ->> '$.content' END`

const images = (
  message: string,
) => `CASE WHEN json_type(${message}, '$.images') = 'ARRAY' THEN CAST(${message} -> '$.images' AS VARCHAR[])
  WHEN json_type(${message}, '$.content') = 'ARRAY' THEN list_filter(${message} ->> '$.content[*].image_id', lambda id: id IS NOT NULL) END`

const PROMPT = `list_transform(CAST(CASE WHEN json_type(data, '$.prompt') = 'ARRAY' THEN data -> '$.prompt' END AS JSON[]), lambda m: {
  role: m ->> '$.role', content: ${content('m')}, content_parts: NULL::VARCHAR,
  tool_calls: CAST(CASE WHEN json_type(m, '$.tool_calls') = 'ARRAY' THEN m -> '$.tool_calls' END AS VARCHAR),
  tool_call_id: m ->> '$.tool_call_id', name: m ->> '$.name', images: ${images('m')}})`

/**
 * Statements that make the temporary tables `unfinished` (what the events say of each) and `unfinished_starts` (what
 * trajectory.started said). The second looks into raw bytes, but only of the rows of the first.
 */
export function unfinishedStatements(files: LakeFiles): string[] {
  const events = relation('events', files, ['run_id', 'trajectory_id', 'type', 'verdict', 'partition', 'offset'])
  const raw = relation('events', files, ['partition', 'offset', 'headers', 'raw'])
  return [
    `CREATE TEMP TABLE unfinished AS
    WITH open AS (
      SELECT trajectory_id, min(run_id) AS run_id, min("partition") AS "partition", min("offset") FILTER (type = 'trajectory.started') AS "offset"
      FROM ${events} e
      WHERE trajectory_id IS NOT NULL AND verdict = 'accepted' AND ${inScope(files)}
        AND NOT EXISTS (SELECT 1 FROM ${relation('trajectories', files, ['trajectory_id'])} t WHERE t.trajectory_id = e.trajectory_id)
      GROUP BY trajectory_id
    ),
    conflicts AS (SELECT c.trajectory_id, count(*) AS n FROM ${events} c JOIN open o ON o.trajectory_id = c.trajectory_id WHERE c.verdict = 'conflict' GROUP BY c.trajectory_id)
    SELECT o.*, coalesce(c.n, 0) AS n_conflicts FROM open o LEFT JOIN conflicts c ON c.trajectory_id = o.trajectory_id`,
    `CREATE TEMP TABLE unfinished_starts AS
    WITH starts AS MATERIALIZED (
      SELECT u.trajectory_id, CASE WHEN json_exists(headers, '$.ce_type') THEN decode(raw)::JSON ELSE decode(raw)::JSON -> '$.data' END AS data
      FROM ${raw} e JOIN unfinished u ON u."partition" = e."partition" AND u."offset" = e."offset"
    )
    SELECT trajectory_id, data ->> '$.item_id' AS item_id, data ->> '$.group_id' AS group_id, TRY_CAST(data ->> '$.policy_version' AS BIGINT) AS policy_version,
      TRY_CAST(data ->> '$.train_step' AS BIGINT) AS train_step, TRY_CAST(data ->> '$.group_size' AS BIGINT) AS group_size,
      TRY_CAST(data ->> '$.rollout_index' AS BIGINT) AS rollout_index, coalesce(TRY_CAST(data ->> '$.substep' AS BIGINT), 0) AS substep,
      data ->> '$.actor_model' AS actor_model, ${PROMPT} AS prompt, CAST(data -> '$.tools' AS VARCHAR) AS tools
    FROM starts`,
    `ALTER TABLE unfinished_starts ADD COLUMN image_ids VARCHAR[]`,
    `UPDATE unfinished_starts p SET image_ids = ${PROMPT_IMAGES}`,
  ]
}
