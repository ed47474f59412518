/** /v1/datasets/{name}/spark: the same request as Spark SQL, for those whose rows one machine does not hold. */
import { SparkDataset } from '#schemas/http-spark.ts'
import { TABLES_READ } from '#services/datasets/compile.ts'
import type { Datasets } from '#services/datasets/datasets.ts'
import { compileSpark } from '#services/datasets/spark/compile.ts'
import { deltaVersions } from '#services/delta/versions.ts'
import { parseOffsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { pinnedOf, urls, type DatasetCall } from '#services/query/dataset-call.ts'
import { DATASET_PARAMETERS } from '#services/query/dataset-parameters.ts'
import { jsonAnswer } from '#services/query/reading.ts'
import { route, type Route } from '#services/query/route.ts'

const { explain: _explain, ...PARAMETERS } = DATASET_PARAMETERS

/** What is asked for is a table, so no format need be said. */
function asParquet(call: DatasetCall): DatasetCall {
  const name = call.path('name')
  if (name.includes('.') || call.query.format !== undefined) return call
  return { ...call, path: (part) => (part === 'name' ? `${name}.parquet` : call.path(part)) }
}

async function answer(datasets: Datasets, call: DatasetCall): Promise<Response> {
  const { deps, query, request } = call
  const { pinned } = await pinnedOf(datasets, asParquet(call), true)
  const queries = compileSpark(pinned.request, `${deps.publicUrl}/v1/images/`)
  if (pinned.snapshot === undefined)
    throw new Problem('snapshot_expired', `snapshot ${pinned.snapshotId} is no longer kept`, {
      hint: `the rows were built while it was: ${urls.dataset(deps, pinned)}`,
    })
  const at = { snapshotId: pinned.snapshotId, waitMs: query.wait * 1000, signal: request.signal }
  const tables = await deltaVersions(deps, TABLES_READ, at)
  const body = {
    recipe: pinned.request.recipe,
    snapshot: pinned.snapshotId,
    url: urls.dataset(deps, pinned),
    sql: queries.sql,
    counts_sql: queries.countsSql,
    tables: tables.map(({ table, version }) => ({ name: table, path: `lake/${table}`, version })),
  }
  return jsonAnswer(deps, body, parseOffsets(pinned.snapshot.cut))
}

/** The route. */
export function sparkRoutes(datasets: Datasets): readonly Route[] {
  return [
    route({
      path: '/v1/datasets/{name}/spark',
      tag: 'Datasets',
      summary: 'Give a dataset as Spark SQL',
      detail:
        'For `sft` (in the shape openai), `trajectories` and `steps`: a query over the Delta tables of the lake whose rows are those of the Parquet dataset, value for value and in the same order. It takes the filters and `reward_version`, `include` (but for unfinished), `holdout`, `per_item`, `limit`, `seed`, `shard` and `images` (hash or url); what it does not take is refused by name. Make a view of each table at its version, then run the query; the job in infra/spark does that. For Spark 4.0 and newer, in ANSI mode or not.',
      pathParameters: {
        name: 'The recipe, such as `sft`, or `@name`, `@name:3` for one that was saved (POST /v1/recipes). The extension may be .parquet.',
      },
      parameters: PARAMETERS,
      problems: ['not_found', 'snapshot_expired', 'behind'],
      answers: [{ status: 200, description: 'The query and what it reads.', schema: SparkDataset }],
      handle: (call) => answer(datasets, { ...call, query: { ...call.query, explain: undefined } }),
    }),
  ]
}
