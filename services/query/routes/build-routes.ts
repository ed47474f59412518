/** /v1/datasets/builds and /v1/datasets/manifests: how far a build is, and what is known of one that is done. */
import { DatasetBuild, DatasetManifest } from '#schemas/datasets.ts'
import type { Datasets } from '#services/datasets/datasets.ts'
import type { Manifest } from '#services/datasets/manifest.ts'
import { parseOffsets } from '#services/position.ts'
import { Problem, problemBody } from '#services/problem.ts'
import { urls } from '#services/query/dataset-call.ts'
import { jsonAnswer } from '#services/query/reading.ts'
import { policiesTrainedOn } from '#services/query/rows/policy-rows.ts'
import { route, type Call, type Route } from '#services/query/route.ts'

const tag = 'Datasets'
const buildParameter = { build: 'The id of the build.' }

function noBuild(id: string): Problem {
  return new Problem('not_found', `there is no build ${JSON.stringify(id.slice(0, 80))}`, {
    hint: 'ask for the dataset or its pin to start one',
  })
}

const BUILD_ID = /^[0-9a-f]{64}$/

async function manifestOf(datasets: Datasets, id: string): Promise<Manifest | undefined> {
  return BUILD_ID.test(id) ? datasets.manifest(id) : undefined
}

async function answerBuild(datasets: Datasets, call: Call<Record<string, never>>): Promise<Response> {
  const { deps } = call
  const id = call.path('build')
  const manifest = await manifestOf(datasets, id)
  if (manifest !== undefined) {
    const body = {
      build: id,
      state: 'done',
      progress: 1,
      url: urls.ofManifest(deps, manifest),
      manifest: urls.manifest(deps, id),
    }
    return jsonAnswer(deps, body, parseOffsets(manifest.offsets))
  }
  const build = await datasets.status(id)
  if (build === undefined) throw noBuild(id)
  const { state, progress, problem } = build
  return jsonAnswer(
    deps,
    { build: id, state, progress, ...(problem === undefined ? {} : { problem: problemBody(problem) }) },
    new Map(),
  )
}

async function answerCancel(datasets: Datasets, call: Call<Record<string, never>>): Promise<Response> {
  const id = call.path('build')
  if (await datasets.cancel(id))
    return jsonAnswer(call.deps, { build: id, state: 'cancelled', progress: 0 }, new Map(), 202)
  if ((await manifestOf(datasets, id)) === undefined) throw noBuild(id)
  throw new Problem('conflict', 'the build is done, and its bytes are fixed', { hint: 'nothing needs to be cancelled' })
}

async function answerManifest(datasets: Datasets, call: Call<Record<string, never>>): Promise<Response> {
  const { deps } = call
  const manifest = await manifestOf(datasets, call.path('build'))
  if (manifest === undefined)
    throw new Problem('not_found', 'there is no such manifest', {
      hint: 'a dataset names its manifest in Stepstore-Manifest',
    })
  const policies = await policiesTrainedOn(deps.store.db, datasets.recipes, manifest)
  const body = {
    ...manifest,
    url: urls.ofManifest(deps, manifest),
    policies: policies.map(({ run_id: runId, policy_version: version, train_step }) => ({
      run_id: runId,
      policy_version: version,
      train_step,
      url: `${deps.publicUrl}/v1/policies/${encodeURIComponent(runId)}/${version}`,
    })),
  }
  return jsonAnswer(deps, body, parseOffsets(manifest.offsets))
}

/** The routes of builds and their manifests. */
export function buildRoutes(datasets: Datasets): readonly Route[] {
  return [
    route({
      path: '/v1/datasets/builds/{build}',
      tag,
      summary: 'Look at a build',
      pathParameters: buildParameter,
      parameters: {},
      problems: ['not_found'],
      answers: [{ status: 200, description: 'The build.', schema: DatasetBuild }],
      handle: (call) => answerBuild(datasets, call),
    }),
    route({
      method: 'DELETE',
      path: '/v1/datasets/builds/{build}',
      tag,
      summary: 'Cancel a build',
      pathParameters: buildParameter,
      parameters: {},
      problems: ['not_found', 'conflict'],
      answers: [{ status: 202, description: 'It is being cancelled.', schema: DatasetBuild }],
      handle: (call) => answerCancel(datasets, call),
    }),
    route({
      path: '/v1/datasets/manifests/{build}',
      tag,
      summary: 'Read the manifest of a dataset',
      pathParameters: buildParameter,
      parameters: {},
      problems: ['not_found'],
      answers: [{ status: 200, description: 'The manifest.', schema: DatasetManifest }],
      handle: (call) => answerManifest(datasets, call),
    }),
  ]
}
