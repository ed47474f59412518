/** What a call of a dataset route asks for: its recipe may have been saved under a name, and its snapshot is found. */
import type { Datasets, Pinned } from '#services/datasets/datasets.ts'
import type { Manifest } from '#services/datasets/manifest.ts'
import { canonicalQuery, pinnedQuery, type DatasetRequest, type PinnedRequest } from '#services/datasets/request.ts'
import { recipeReference } from '#services/datasets/saved-recipes.ts'
import { Problem } from '#services/problem.ts'
import { DATASET_PARAMETERS, datasetRequest } from './dataset-parameters.ts'
import type { QueryDeps } from './deps.ts'
import { parseParameters } from './parameters.ts'
import { wanted } from './reading.ts'
import type { Call } from './route.ts'

export type DatasetCall = Call<typeof DATASET_PARAMETERS>

/** A version of a saved recipe, and what a URL asks beside it. */
export interface SavedBy {
  readonly name: string
  readonly version: number
  /** The rest of the query, without what says how it is read. */
  readonly rest: string
}

/** A request with its snapshot, and what it was named by. */
export interface NamedRequest extends PinnedRequest {
  readonly by?: SavedBy | undefined
}

/** Longer URLs are named by their saved recipe: a filter of thousands of ids fits into no URL that everybody can read. */
const URL_CHARS_MAX = 4096

/** The path and query of a dataset, or of what stands after its path. */
function pathOf({ request, snapshotId, by }: NamedRequest, after: '' | '/pin' = ''): string {
  const query = canonicalQuery(request, snapshotId)
  if (by === undefined || query.length <= URL_CHARS_MAX)
    return `/v1/datasets/${request.recipe}.${request.format}${after}${query === '' ? '' : `?${query}`}`
  return `/v1/datasets/@${by.name}:${by.version}.${request.format}${after}?${pinnedQuery(by.rest, snapshotId)}`
}

/** URLs of what belongs to a dataset. */
export const urls = {
  dataset: (deps: QueryDeps, named: NamedRequest) => `${deps.publicUrl}${pathOf(named)}`,
  pin: (deps: QueryDeps, named: NamedRequest) => `${deps.publicUrl}${pathOf(named, '/pin')}`,
  /** Part `index` of `of`. */
  shard: (deps: QueryDeps, { request, by, ...named }: NamedRequest, index: number, of: number) => {
    const shaping = { ...request.shaping, shard: { index, of } }
    const rest = by === undefined ? undefined : { ...by, rest: `${by.rest}&shard=${index}/${of}` }
    return `${deps.publicUrl}${pathOf({ ...named, request: { ...request, shaping }, by: rest })}`
  },
  build: (deps: QueryDeps, id: string) => `${deps.publicUrl}/v1/datasets/builds/${id}`,
  manifest: (deps: QueryDeps, id: string) => `${deps.publicUrl}/v1/datasets/manifests/${id}`,
  ofManifest: (deps: QueryDeps, { recipe, format, filter, snapshot }: Manifest) =>
    `${deps.publicUrl}/v1/datasets/${recipe}.${format}?${pinnedQuery(filter, snapshot)}`,
}

/** A request with what its URL promises. */
export interface AskedRequest {
  readonly request: DatasetRequest
  /** Whether the URL means the same request for ever; `@name` without a version does not. */
  readonly isFixed: boolean
  /** The saved recipe that its URL names. */
  readonly by?: SavedBy
}

/** Parameters that say how a dataset is read, and not what it is: those of a saved recipe and of a URL may not meet. */
const OF_READING: ReadonlySet<string> = new Set(['snapshot', 'after', 'wait', 'format', 'explain', 'token', 'n'])

/** The query of a saved recipe together with that of the URL which names it. Throws `invalid_parameter` where both say the same thing. */
export function joinedQuery(saved: string, name: string, url: URL): URLSearchParams {
  const own = new URLSearchParams(saved)
  const all = new URLSearchParams(saved)
  for (const [key, value] of url.searchParams) {
    if (key === 'n') continue
    if (!OF_READING.has(key) && own.has(key))
      throw new Problem('invalid_parameter', `recipe @${name} says ${key} already`, {
        hint: 'leave it out, or save another version of the recipe',
        details: { parameter: key },
      })
    all.append(key, value)
  }
  return all
}

/** What a URL asks beside the saved recipe that it names. */
function restOf(url: URL): string {
  const rest = new URLSearchParams(url.searchParams)
  for (const name of OF_READING) rest.delete(name)
  return rest.toString()
}

/** The request that a path and query stand for. Throws `not_found`, `invalid_parameter`. */
export async function askedRequest(
  datasets: Datasets,
  { path, query, request, deps }: DatasetCall,
): Promise<AskedRequest> {
  const name = path('name')
  const reference = recipeReference(name)
  if (reference === undefined) return { request: datasetRequest(name, query, deps.log.id), isFixed: true }
  const saved = await datasets.recipes.find(reference.name, reference.version)
  const all = parseParameters(DATASET_PARAMETERS, joinedQuery(saved.query, reference.name, new URL(request.url)))
  return {
    request: datasetRequest(`${saved.recipe}${reference.extension}`, all, deps.log.id),
    isFixed: reference.version !== undefined,
    by: { name: saved.name, version: saved.version, rest: restOf(new URL(request.url)) },
  }
}

/** The request of a call with its snapshot. `keep` where the answer hands out a URL that stays. */
export async function pinnedOf(
  datasets: Datasets,
  call: DatasetCall,
  keep?: boolean,
): Promise<{ readonly pinned: Pinned & NamedRequest; readonly isFixed: boolean }> {
  const { request, isFixed, by } = await askedRequest(datasets, call)
  const range = call.request.headers.get('range')
  const pinned = await datasets.pin(request, {
    snapshotId: call.query.snapshot,
    after: await wanted(call),
    waitMs: call.query.wait * 1000,
    // A suffix is how a reader opens a file; any other range goes on reading one.
    continues: range !== null && !/^bytes=\s*-/i.test(range),
    ...(keep === undefined ? {} : { keep }),
    signal: call.request.signal,
  })
  return { pinned: { ...pinned, by }, isFixed }
}
