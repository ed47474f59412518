/** Policies and the datasets that they were trained on, looked up from either side. */
import { type Kysely, sql } from 'kysely'
import type { Database, Row } from '#schemas/tables.ts'
import type { Datasets } from '#services/datasets/datasets.ts'
import type { Manifest } from '#services/datasets/manifest.ts'
import { buildKey } from '#services/datasets/request.ts'
import { recipeReference } from '#services/datasets/saved-recipes.ts'
import { Problem } from '#services/problem.ts'
import { DATASET_PARAMETERS, datasetRequest } from '#services/query/dataset-parameters.ts'
import { joinedQuery } from '#services/query/dataset-call.ts'
import { parseParameters } from '#services/query/parameters.ts'

/** What a policy may name as trained_on: a build, bytes by their hash, or neither. */
export type Reference =
  | { readonly kind: 'build'; readonly build: string; readonly sha256?: undefined }
  | { readonly kind: 'hash'; readonly sha256: string; readonly build?: undefined }

const HEX = /^(?:sha256:)?([0-9a-f]{64})$/i
const OF_BUILD = /^\/v1\/datasets\/(?:manifests|builds)\/([0-9a-f]{64})$/
const DATASET = /^\/v1\/datasets\/([^/]+)$/

function parsedUrl(given: string): URL | undefined {
  // A path alone is a URL of this server; which name the server had then does not matter.
  return URL.canParse(given, 'http://here') ? new URL(given, 'http://here') : undefined
}

/** What a dataset URL stands for; undefined where it is not pinned, or is no dataset of ours. */
async function buildOfUrl(recipes: Datasets['recipes'], url: URL, logId: string): Promise<string | undefined> {
  const name = decodeURIComponent(DATASET.exec(url.pathname)?.[1] ?? '')
  if (name === '') return undefined
  try {
    const saved = recipeReference(name)
    // The newest version of a name is another one tomorrow.
    if (saved !== undefined && saved.version === undefined) return undefined
    const found = saved === undefined ? undefined : await recipes.find(saved.name, saved.version)
    const query = found === undefined ? url.searchParams : joinedQuery(found.query, found.name, url)
    const parsed = parseParameters(DATASET_PARAMETERS, query)
    const path = found === undefined ? name : `${found.recipe}${saved?.extension ?? ''}`
    return parsed.snapshot === undefined
      ? undefined
      : buildKey({ request: datasetRequest(path, parsed, logId), snapshotId: parsed.snapshot })
  } catch (error) {
    if (error instanceof Problem) return undefined
    throw error
  }
}

/** What an entry of trained_on refers to; undefined where that cannot be told. */
export async function referenceOf(
  recipes: Datasets['recipes'],
  given: string,
  logId: string,
): Promise<Reference | undefined> {
  const hash = HEX.exec(given)?.[1]
  if (hash !== undefined) return { kind: 'hash', sha256: hash.toLowerCase() }
  const url = parsedUrl(given)
  if (url === undefined) return undefined
  const build = OF_BUILD.exec(url.pathname)?.[1] ?? (await buildOfUrl(recipes, url, logId))
  return build === undefined ? undefined : { kind: 'build', build }
}

/** The entries of trained_on that a policy has. */
export function trainedOn({ data }: Pick<Row<'policies'>, 'data'>): readonly string[] {
  const given = (data as { trained_on?: unknown } | null)?.trained_on
  return Array.isArray(given) ? given.filter((entry) => typeof entry === 'string') : []
}

/** Policies that are looked at for one dataset at most; no training publishes as many on one snapshot. */
const LOOKED_AT_MAX = 10_000

/** The policies that name a dataset as one that they were trained on, by hash, by build or by a pinned URL. */
export async function policiesTrainedOn(
  db: Kysely<Database>,
  recipes: Datasets['recipes'],
  { build, sha256, snapshot, log_id: logId }: Manifest,
): Promise<readonly Row<'policies'>[]> {
  const names = [build, sha256, `snapshot=${snapshot}`]
  const mentions = sql.join(
    names.map((name) => sql<boolean>`position(${name}::text in lower((data->'trained_on')::text)) > 0`),
    sql` or `,
  )
  const rows = await db
    .selectFrom('policies')
    .selectAll()
    .where(sql<boolean>`(${mentions})`)
    .orderBy('run_id')
    .orderBy('policy_version')
    .limit(LOOKED_AT_MAX)
    .execute()
  const found: Row<'policies'>[] = []
  for (const row of rows) {
    const references = await Promise.all(trainedOn(row).map((entry) => referenceOf(recipes, entry, logId)))
    const isMeant = (one: Reference | undefined) =>
      one?.kind === 'build' ? one.build === build : one?.sha256 === sha256 || one?.sha256 === build
    if (references.some((one) => one !== undefined && isMeant(one))) found.push(row)
  }
  return found
}
