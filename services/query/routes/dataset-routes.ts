/** /v1/datasets: training sets by URL, their pins, builds and manifests. */
import {
  DatasetBuild,
  DatasetCatalogue,
  DatasetExplained,
  DatasetManifest,
  DatasetPin,
  DatasetPinning,
} from '#schemas/datasets.ts'
import type { Build } from '#services/datasets/builds.ts'
import type { Datasets, Pinned } from '#services/datasets/datasets.ts'
import { COMPARISONS, FILTER_NAMES, FILTERS, REASON_NAMES, REASONS } from '#services/datasets/filters.ts'
import type { Manifest } from '#services/datasets/manifest.ts'
import { FORMAT_NAMES, FORMATS, KEY_COLUMNS, RECIPE_NAMES, RECIPES, SHAPES } from '#services/datasets/recipes.ts'
import { canonicalQuery, datasetPath, type PinnedRequest } from '#services/datasets/request.ts'
import { parseOffsets } from '#services/position.ts'
import { Problem, problemBody } from '#services/problem.ts'
import { DATASET_PARAMETERS, datasetRequest } from '#services/query/dataset-parameters.ts'
import { datasetReply } from '#services/query/bytes/dataset-reply.ts'
import type { QueryDeps } from '#services/query/deps.ts'
import { jsonAnswer, wanted } from '#services/query/reading.ts'
import { route, type Call, type Route } from '#services/query/route.ts'

export interface DatasetRoutesOptions {
  /** How long a request may wait for its build; DuckDB and others give up when the first byte takes 30 s. */
  readonly buildWaitMs?: number
  /** How long a pin waits before it answers 202. */
  readonly pinWaitMs?: number
}

type DatasetCall = Call<typeof DATASET_PARAMETERS>

const tag = 'Datasets'
const pathParameters = {
  name: 'The recipe with the format as its extension, such as `sft.parquet`; or the recipe alone, with `format=`.',
}
const buildParameter = { build: 'The id of the build.' }
const PARQUET_OR_LINES = FORMAT_NAMES.map((name) => FORMATS[name].mediaType)

const urls = {
  dataset: (deps: QueryDeps, { request, snapshotId }: PinnedRequest) =>
    `${deps.publicUrl}${datasetPath(request, snapshotId)}`,
  pin: (deps: QueryDeps, { request, snapshotId }: PinnedRequest) =>
    `${deps.publicUrl}/v1/datasets/${request.recipe}.${request.format}/pin?${canonicalQuery(request, snapshotId)}`,
  build: (deps: QueryDeps, id: string) => `${deps.publicUrl}/v1/datasets/builds/${id}`,
  manifest: (deps: QueryDeps, id: string) => `${deps.publicUrl}/v1/datasets/manifests/${id}`,
  ofManifest: (deps: QueryDeps, { recipe, format, filter, snapshot }: Manifest) =>
    `${deps.publicUrl}/v1/datasets/${recipe}.${format}?${[...filter.split('&'), `snapshot=${snapshot}`]
      .filter((part) => part !== '')
      .sort()
      .join('&')}`,
}

async function pinnedOf(datasets: Datasets, call: DatasetCall): Promise<Pinned> {
  const request = datasetRequest(call.path('name'), call.query)
  const range = call.request.headers.get('range')
  return datasets.pin(request, {
    snapshotId: call.query.snapshot,
    after: await wanted(call),
    waitMs: call.query.wait * 1000,
    // A suffix is how a reader opens a file; any other range goes on reading one.
    continues: range !== null && !/^bytes=\s*-/i.test(range),
    signal: call.request.signal,
  })
}

async function answerDataset(datasets: Datasets, call: DatasetCall, buildWaitMs: number): Promise<Response> {
  const { deps } = call
  const started = deps.clock()
  const pinned = await pinnedOf(datasets, call)
  if (call.query.explain !== undefined) {
    const counts = await datasets.counts(pinned, call.request.signal)
    return jsonAnswer(deps, { snapshot: pinned.snapshotId, url: urls.dataset(deps, pinned), counts }, offsetsOf(pinned))
  }
  const result = await datasets.ready(pinned, Math.max(0, buildWaitMs - (deps.clock() - started)), call.request.signal)
  if ('build' in result) throw building(deps, pinned, result.build)
  const { manifest } = result
  return datasetReply({
    blobs: deps.blobs,
    manifest,
    request: call.request,
    pinned: call.query.snapshot !== undefined,
    pinnedUrl: urls.dataset(deps, pinned),
    manifestUrl: urls.manifest(deps, manifest.build),
  })
}

function building(deps: QueryDeps, pinned: PinnedRequest, build: Build): Problem {
  return new Problem('building', `the dataset is being built (${Math.round(build.progress * 100)} % done)`, {
    hint: 'ask again after the time in Retry-After, or look at build',
    retryAfterSeconds: 5,
    details: { build: urls.build(deps, build.id), url: urls.dataset(deps, pinned), progress: build.progress },
  })
}

function offsetsOf({ manifest, snapshot }: Pinned) {
  return parseOffsets(manifest?.offsets ?? snapshot?.cut ?? '')
}

async function answerPin(datasets: Datasets, call: DatasetCall, pinWaitMs: number): Promise<Response> {
  const { deps } = call
  const pinned = await pinnedOf(datasets, call)
  const result = await datasets.ready(pinned, pinWaitMs, call.request.signal)
  if ('build' in result) {
    const body = { build: urls.build(deps, result.build.id), snapshot: pinned.snapshotId, pin: urls.pin(deps, pinned) }
    const answer = jsonAnswer(deps, body, offsetsOf(pinned), 202)
    answer.headers.set('Retry-After', '1')
    return answer
  }
  const { rows, bytes, sha256, snapshot, build } = result.manifest
  return jsonAnswer(
    deps,
    { url: urls.dataset(deps, pinned), rows, bytes, sha256, snapshot, manifest: urls.manifest(deps, build) },
    offsetsOf(pinned),
  )
}

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
  const build = datasets.status(id)
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
  if (datasets.cancel(id)) return jsonAnswer(call.deps, { build: id, state: 'cancelled', progress: 0 }, new Map(), 202)
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
  return jsonAnswer(deps, { ...manifest, url: urls.ofManifest(deps, manifest) }, parseOffsets(manifest.offsets))
}

/** What can be asked for. */
function catalogue(): Record<string, unknown> {
  return {
    recipes: RECIPE_NAMES.map((name) => ({
      name,
      description: RECIPES[name].description,
      columns: { ...KEY_COLUMNS, ...RECIPES[name].columns },
    })),
    formats: FORMAT_NAMES.map((name) => ({
      name,
      description: FORMATS[name].description,
      media_type: FORMATS[name].mediaType,
    })),
    shapes: SHAPES,
    filters: FILTER_NAMES.map((name) => {
      const { kind, description } = FILTERS[name]
      const operators = kind === 'integer' || kind === 'real' ? ['', ...COMPARISONS, 'ne'] : ['']
      return { name, description, kind, operators, ...('words' in FILTERS[name] ? { words: FILTERS[name].words } : {}) }
    }),
    reasons: REASON_NAMES.map((name) => ({ name, description: REASONS[name] })),
  }
}

/** The routes of builds and their manifests. */
function buildRoutes(datasets: Datasets): readonly Route[] {
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

/** The routes of datasets. */
export function datasetRoutes(
  datasets: Datasets,
  { buildWaitMs = 25_000, pinWaitMs = 1000 }: DatasetRoutesOptions = {},
): readonly Route[] {
  return [
    route({
      path: '/v1/datasets',
      tag,
      summary: 'List what datasets there are',
      detail:
        'Recipes with their columns, formats, shapes, filters, and the reasons for which trajectories are left out.',
      parameters: {},
      answers: [{ status: 200, description: 'What can be asked for.', schema: DatasetCatalogue }],
      handle: async ({ deps }) => jsonAnswer(deps, catalogue(), deps.archive.newest?.cut ?? new Map()),
    }),
    ...buildRoutes(datasets),
    route({
      path: '/v1/datasets/{name}/pin',
      tag,
      summary: 'Pin a dataset to a snapshot and build it',
      detail: 'What is handed to trainers is pinned: readers such as `load_dataset` cache by URL alone.',
      pathParameters,
      parameters: DATASET_PARAMETERS,
      problems: ['not_found', 'snapshot_expired', 'behind', 'too_many'],
      answers: [
        { status: 200, description: 'It is built.', schema: DatasetPin },
        { status: 202, description: 'It is being built; ask again.', schema: DatasetPinning },
      ],
      handle: (call) => answerPin(datasets, call, pinWaitMs),
    }),
    route({
      path: '/v1/datasets/{name}',
      tag,
      summary: 'Read a dataset',
      detail:
        'The URL is the filter. With `snapshot=` it gives the same bytes for ever; without, `Content-Location` names the URL that does. GET and HEAD, single and suffix ranges, strong ETag; several ranges at once give the whole.',
      pathParameters,
      parameters: DATASET_PARAMETERS,
      problems: ['not_found', 'snapshot_expired', 'range_not_satisfiable', 'behind', 'building', 'too_many'],
      answers: [
        {
          status: 200,
          description: 'The dataset; with explain=counts the counts, as JSON.',
          types: PARQUET_OR_LINES,
          schema: DatasetExplained,
        },
        { status: 206, description: 'A range of its bytes.', types: PARQUET_OR_LINES },
        { status: 304, description: 'If-None-Match names these bytes.', types: [] },
      ],
      handle: (call) => answerDataset(datasets, call, buildWaitMs),
    }),
  ]
}
