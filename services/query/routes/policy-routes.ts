/** /v1/policies: checkpoints and what they were trained on. */
import { sql } from 'kysely'
import { PolicyRow, PolicyWhole } from '#schemas/http-recipes.ts'
import { listOf } from '#schemas/http.ts'
import type { Row } from '#schemas/tables.ts'
import type { Datasets } from '#services/datasets/datasets.ts'
import type { Manifest } from '#services/datasets/manifest.ts'
import { Problem } from '#services/problem.ts'
import { LIST_PARAMETERS, page, parseCursor } from '#services/query/cursor.ts'
import { urls } from '#services/query/dataset-call.ts'
import type { QueryDeps } from '#services/query/deps.ts'
import { many, text } from '#services/query/parameters.ts'
import { jsonAnswer, readJson, reading } from '#services/query/reading.ts'
import { READ_PARAMETERS, route, type Call, type Route } from '#services/query/route.ts'
import { referenceOf, trainedOn } from '#services/query/rows/policy-rows.ts'

const LIST = 'policies'
const tag = 'Runs'
const pathParameters = { run_id: 'The run, URL-encoded.', policy_version: 'The version.' }

const rowAnswer = ({ run_id, policy_version, train_step, published_at, data }: Row<'policies'>) => ({
  run_id,
  policy_version,
  train_step,
  published_at,
  data,
})

const built = (deps: QueryDeps, given: string, manifest: Manifest) => ({
  given,
  state: 'built',
  url: urls.ofManifest(deps, manifest),
  build: manifest.build,
  manifest: urls.manifest(deps, manifest.build),
  sha256: manifest.sha256,
  snapshot: manifest.snapshot,
  rows: manifest.rows,
})

/** An entry of trained_on with the dataset that it means. */
async function entryAnswer(datasets: Datasets, deps: QueryDeps, given: string): Promise<Record<string, unknown>> {
  const reference = await referenceOf(datasets.recipes, given, deps.log.id)
  if (reference === undefined) return { given, state: 'unknown' }
  const manifest = await datasets.manifest(reference.build ?? reference.sha256)
  if (manifest !== undefined) return built(deps, given, manifest)
  if (reference.kind === 'build') return { given, state: 'not_built', build: reference.build }
  const [first] = await datasets.manifestsOf(reference.sha256)
  return first === undefined ? { given, state: 'unknown' } : built(deps, given, first)
}

const listParameters = { ...LIST_PARAMETERS, run: many(text('The run.')) }

async function answerList(call: Call<typeof listParameters>): Promise<Response> {
  const { query } = call
  const key = parseCursor(LIST, 2, query.cursor)
  return readJson(call, async (db) => {
    const rows = await db
      .selectFrom('policies')
      .selectAll()
      .where(query.run.length === 0 ? sql<boolean>`true` : sql<boolean>`run_id in (${sql.join([...query.run])})`)
      .where(
        key === undefined
          ? sql<boolean>`true`
          : sql<boolean>`(run_id, policy_version) > (${key[0]}::text, ${key[1]}::bigint)`,
      )
      .orderBy('run_id')
      .orderBy('policy_version')
      .limit(query.limit + 1)
      .execute()
    const found = page(LIST, rows, query.limit, (row) => [row.run_id, row.policy_version])
    return { ...found, rows: found.rows.map(rowAnswer) }
  })
}

async function answerOne(datasets: Datasets, call: Call<typeof READ_PARAMETERS>): Promise<Response> {
  const { deps } = call
  const [runId, version] = [call.path('run_id'), Number(call.path('policy_version'))]
  const { result: row, offsets } = await reading(call, async (db) =>
    Number.isSafeInteger(version)
      ? db
          .selectFrom('policies')
          .selectAll()
          .where('run_id', '=', runId)
          .where('policy_version', '=', version)
          .executeTakeFirst()
      : undefined,
  )
  if (row === undefined)
    throw new Problem(
      'not_found',
      `run ${JSON.stringify(runId.slice(0, 80))} published no policy ${call.path('policy_version').slice(0, 20)}`,
      {
        hint: 'list them: /v1/policies?run=…',
      },
    )
  const entries = await Promise.all(trainedOn(row).map((given) => entryAnswer(datasets, deps, given)))
  return jsonAnswer(deps, { ...rowAnswer(row), trained_on: entries }, offsets)
}

/** The routes of policies. */
export function policyRoutes(datasets: Datasets): readonly Route[] {
  return [
    route({
      path: '/v1/policies',
      tag,
      summary: 'List checkpoints that were published',
      detail: 'In order of (run_id, policy_version).',
      parameters: listParameters,
      answers: [{ status: 200, description: 'A page of policies.', schema: listOf(PolicyRow) }],
      handle: answerList,
    }),
    route({
      path: '/v1/policies/{run_id}/{policy_version}',
      tag,
      summary: 'Read a checkpoint with the datasets that it was trained on',
      detail:
        '`trained_on` of policy.published names pinned dataset URLs, manifests, or hashes. The manifest of a dataset lists the policies that name it.',
      pathParameters,
      parameters: READ_PARAMETERS,
      problems: ['not_found'],
      answers: [{ status: 200, description: 'The policy.', schema: PolicyWhole }],
      handle: (call) => answerOne(datasets, call),
    }),
  ]
}
