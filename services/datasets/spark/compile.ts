/** A request as Spark SQL over the Delta tables: one query for the rows and one for the counts. Tables are views of their names. */
import { STEP_COLUMNS } from '#services/datasets/messages.ts'
import { KEY_COLUMNS } from '#services/datasets/recipes/columns.ts'
import { ORDER } from '#services/datasets/cuts.ts'
import { RECIPES } from '#services/datasets/recipes.ts'
import type { DatasetRequest } from '#services/datasets/request.ts'
import { sparkCandidates } from './candidates.ts'
import { SPARK, sparkTable } from './dialect.ts'
import { noneOf, ofAllSteps, SPARK_LISTS, SPARK_STEP_IMAGES } from './messages.ts'
import { sparkRecipe } from './refusals.ts'

export interface SparkQueries {
  /** The rows in order, with the names, types and values of the Parquet dataset. */
  readonly sql: string
  /** Rows (left_out, n): how many trajectories are in (null), or left out and why. */
  readonly countsSql: string
}

const { name } = SPARK
const key = Object.keys(KEY_COLUMNS).map((column) => `k.${name(column)}`)

/** Images by hash, or as URLs. */
const shown = (images: string, url: string | undefined): string =>
  url === undefined ? images : `transform(${images}, hash -> concat(${SPARK.text(url)}, hash))`

const with_ = (expressions: readonly string[], select: string): string => `WITH ${expressions.join(',\n')}\n${select}`

const KEPT = 'kept AS (SELECT * FROM candidates WHERE left_out IS NULL)'

function trajectories(columns: readonly string[], candidates: readonly string[]): string {
  return with_([...candidates, KEPT], `SELECT ${columns.map(name).join(', ')} FROM kept ORDER BY ${ORDER}`)
}

function steps(columns: readonly string[], candidates: readonly string[], imageUrl: string | undefined): string {
  const own = columns.filter((column) => column !== 'images' && !(column in KEY_COLUMNS))
  const select = [
    ...key,
    ...own.map((column) => `s.${name(column)}`),
    `${shown(SPARK_STEP_IMAGES, imageUrl)} AS images`,
  ]
  return with_(
    [...candidates, KEPT],
    `SELECT ${select.join(', ')} FROM ${sparkTable('steps', ['trajectory_id', ...own, 'images'])} s JOIN kept k ON k.trajectory_id = s.trajectory_id
    ORDER BY ${ORDER}, step_index`,
  )
}

function sft(columns: readonly string[], candidates: readonly string[], imageUrl: string | undefined): string {
  const lists = Object.keys(SPARK_LISTS) as (keyof typeof SPARK_LISTS)[]
  const said = `said AS (SELECT s.trajectory_id, ${lists.map((list) => `${ofAllSteps(list)} AS ${list}`).join(', ')}
    FROM ${sparkTable('steps', STEP_COLUMNS)} s JOIN kept k ON k.trajectory_id = s.trajectory_id GROUP BY s.trajectory_id)`
  const whole = (list: keyof typeof SPARK_LISTS) =>
    `concat(${SPARK_LISTS[list].prompt}, coalesce(said.${list}, ${noneOf(list)}))`
  const talk: Readonly<Record<string, string>> = {
    messages: whole('messages'),
    tools: 't.tools',
    images: shown(whole('images'), imageUrl),
    loss_mask: whole('loss_mask'),
  }
  const own = columns.flatMap((column) => (talk[column] === undefined ? [] : [`${talk[column]} AS ${name(column)}`]))
  return with_(
    [...candidates, KEPT, said],
    `SELECT ${[...key, ...own].join(', ')} FROM kept k
    JOIN ${sparkTable('trajectories', ['trajectory_id', 'prompt', 'tools'])} t ON t.trajectory_id = k.trajectory_id
    LEFT JOIN said ON said.trajectory_id = k.trajectory_id
    ORDER BY k.run_id NULLS LAST, k.trajectory_id`,
  )
}

/** Those that are taken and give no row, since they have no step. */
const WITH_STEPS = `counted AS (SELECT CASE WHEN c.left_out IS NULL AND s.trajectory_id IS NULL THEN 'no_steps' ELSE c.left_out END AS left_out
    FROM candidates c LEFT JOIN (SELECT DISTINCT trajectory_id FROM steps) s ON s.trajectory_id = c.trajectory_id)`

const WRITERS = { trajectories, steps, sft } as const

/**
 * Compiles a request. `imageUrl` is what comes before the hash in the URL of an image. Throws `invalid_parameter` naming
 * what cannot be said to Spark.
 */
export function compileSpark(request: DatasetRequest, imageUrl: string): SparkQueries {
  const recipe = sparkRecipe(request)
  const { shape, options = {}, advantage, include } = request
  const columns = Object.keys(RECIPES[recipe].columns({ shape, options, advantage, include }))
  const url = options.images === 'url' ? imageUrl : undefined
  return {
    sql: WRITERS[recipe](columns, sparkCandidates(request, false), url),
    countsSql: with_(
      [...sparkCandidates(request, true), ...(recipe === 'steps' ? [WITH_STEPS] : [])],
      `SELECT left_out, count(*) AS n FROM ${recipe === 'steps' ? 'counted' : 'candidates'} GROUP BY left_out`,
    ),
  }
}
