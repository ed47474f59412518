/** /v1/datasets: training sets by URL, their pins, builds and manifests. */
import { DatasetCatalogue, DatasetExplained, DatasetPin, DatasetPinning } from '#schemas/datasets.ts'
import { DatasetShards } from '#schemas/http-recipes.ts'
import type { Build } from '#services/datasets/builds.ts'
import type { Datasets, Pinned } from '#services/datasets/datasets.ts'
import { COMPARISONS, FILTER_NAMES, FILTERS, REASON_NAMES, REASONS } from '#services/datasets/filters.ts'
import { FORMAT_NAMES, FORMATS, RECIPE_NAMES, RECIPES, SHAPES } from '#services/datasets/recipes.ts'
import { canonicalQuery, DEFAULT_SHAPE } from '#services/datasets/request.ts'
import { parseOffsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { pinnedOf, urls, type DatasetCall, type NamedRequest } from '#services/query/dataset-call.ts'
import { DATASET_PARAMETERS, SHARDS_MAX } from '#services/query/dataset-parameters.ts'
import { emptyNotice } from '#services/query/bytes/dataset-notice.ts'
import { datasetReply } from '#services/query/bytes/dataset-reply.ts'
import type { QueryDeps } from '#services/query/deps.ts'
import { jsonAnswer } from '#services/query/reading.ts'
import { integer, required } from '#services/query/parameters.ts'
import { route, type Call, type Route } from '#services/query/route.ts'
import { buildRoutes } from './build-routes.ts'
import { policyRoutes } from './policy-routes.ts'
import { recipeRoutes } from './recipe-routes.ts'
import { sparkRoutes } from './spark-routes.ts'

export interface DatasetRoutesOptions {
  /** How long a request may wait for its build; DuckDB and others give up when the first byte takes 30 s. */
  readonly buildWaitMs?: number
  /** How long a pin waits before it answers 202. */
  readonly pinWaitMs?: number
}

const tag = 'Datasets'
const pathParameters = {
  name: 'The recipe with the format as its extension, such as `sft.parquet`; or the recipe alone, with `format=`; or `@name.parquet`, `@name:3.parquet` for one that was saved (POST /v1/recipes).',
}
const PARQUET_OR_LINES = FORMAT_NAMES.map((name) => FORMATS[name].mediaType)

async function answerDataset(datasets: Datasets, call: DatasetCall, buildWaitMs: number): Promise<Response> {
  const { deps } = call
  const started = deps.clock()
  const { pinned, isFixed } = await pinnedOf(datasets, call)
  if (call.query.explain !== undefined) {
    const counts = await datasets.counts(pinned, call.request.signal)
    const notice = emptyNotice(counts, canonicalQuery(pinned.request), pinned.snapshotId)
    const body = { snapshot: pinned.snapshotId, url: urls.dataset(deps, pinned), counts }
    return jsonAnswer(deps, notice === undefined ? body : { ...body, notice }, offsetsOf(pinned))
  }
  const result = await datasets.ready(pinned, Math.max(0, buildWaitMs - (deps.clock() - started)), call.request.signal)
  if ('build' in result) throw building(deps, pinned, result.build)
  const { manifest } = result
  return datasetReply({
    blobs: deps.blobs,
    manifest,
    request: call.request,
    pinned: isFixed && call.query.snapshot !== undefined,
    pinnedUrl: urls.dataset(deps, pinned),
    manifestUrl: urls.manifest(deps, manifest.build),
  })
}

function building(deps: QueryDeps, pinned: NamedRequest, build: Build): Problem {
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
  const { pinned } = await pinnedOf(datasets, call, true)
  const result = await datasets.ready(pinned, pinWaitMs, call.request.signal)
  if ('build' in result) {
    const body = { build: urls.build(deps, result.build.id), snapshot: pinned.snapshotId, pin: urls.pin(deps, pinned) }
    const answer = jsonAnswer(deps, body, offsetsOf(pinned), 202)
    answer.headers.set('Retry-After', '1')
    return answer
  }
  const { rows, bytes, sha256, snapshot, build, counts, filter } = result.manifest
  const notice = emptyNotice(counts, filter, snapshot)
  const body = { url: urls.dataset(deps, pinned), rows, bytes, sha256, snapshot, manifest: urls.manifest(deps, build) }
  return jsonAnswer(deps, notice === undefined ? body : { ...body, notice }, offsetsOf(pinned))
}

const SHARD_PARAMETERS = {
  ...DATASET_PARAMETERS,
  n: required(integer('How many shards.', { minimum: 1, maximum: SHARDS_MAX })),
}

async function answerShards(datasets: Datasets, call: Call<typeof SHARD_PARAMETERS>): Promise<Response> {
  const { deps, query } = call
  if (query.shard !== undefined || query.explain !== undefined)
    throw new Problem('invalid_parameter', 'the list of shards takes n, and neither shard nor explain', {
      hint: 'leave shard and explain out',
      details: { parameter: query.shard === undefined ? 'explain' : 'shard' },
    })
  const { pinned } = await pinnedOf(datasets, call, true)
  const shards = Array.from({ length: query.n }, (_, index) => urls.shard(deps, pinned, index, query.n))
  return jsonAnswer(deps, { snapshot: pinned.snapshotId, n: query.n, urls: shards }, offsetsOf(pinned))
}

/** What can be asked for. */
function catalogue(): Record<string, unknown> {
  return {
    recipes: RECIPE_NAMES.map((name) => ({
      name,
      description: RECIPES[name].description,
      shapes: RECIPES[name].shapes,
      columns: RECIPES[name].columns({ shape: DEFAULT_SHAPE, options: {}, advantage: undefined, include: [] }),
      reasons: Object.entries(RECIPES[name].reasons).map(([reason, meaning]) => ({
        name: reason,
        description: meaning,
      })),
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
    ...recipeRoutes(datasets),
    ...policyRoutes(datasets),
    ...sparkRoutes(datasets),
    route({
      path: '/v1/datasets/{name}/shards',
      tag,
      summary: 'List the URLs of the shards of a dataset',
      detail:
        "All of one snapshot, so that the list is as stable as its URLs: `load_dataset('parquet', data_files=urls)`, `ray.data.read_parquet(urls)`. A shard is built when it is first read.",
      pathParameters,
      parameters: SHARD_PARAMETERS,
      problems: ['not_found', 'snapshot_expired', 'behind'],
      answers: [{ status: 200, description: 'The URLs.', schema: DatasetShards }],
      handle: (call) => answerShards(datasets, call),
    }),
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
        'The URL is the filter. With `snapshot=` it gives the same bytes for ever; without, `Content-Location` names the URL that does (one of more than 8,192 characters, which clients refuse in a header, only `…/pin` tells; save such a filter with POST /v1/recipes). GET and HEAD, single and suffix ranges, strong ETag; several ranges at once give the whole. Where it has no rows, `Stepstore-Notice` says why.',
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
