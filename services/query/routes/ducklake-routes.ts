/** /v1/lake.ducklake and /v1/lake/{snapshot}.ducklake: the whole lake as a catalog that DuckDB attaches in one line. */
import type { Row } from '#schemas/tables.ts'
import { CATALOG_VERSIONS, type CatalogVersion } from '#services/ducklake/ducklake.ts'
import { formatPosition } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { byteAnswer } from '#services/query/bytes/byte-answer.ts'
import type { QueryDeps } from '#services/query/deps.ts'
import { withDefault, word } from '#services/query/parameters.ts'
import { wanted } from '#services/query/reading.ts'
import { type Call, READ_PARAMETERS, type Route, type RouteAnswer, route } from '#services/query/route.ts'
import { checkIncludes, cutOf, newestSnapshot, reachSnapshot, snapshotOf } from '#services/query/snapshots.ts'

const NAME = /^([1-9]\d{0,15})\.ducklake$/
const MEDIA_TYPE = 'application/octet-stream'

const PARAMETERS = {
  ...READ_PARAMETERS,
  catalog: withDefault(
    word(CATALOG_VERSIONS, 'The version of the format: 0.3 for DuckDB 1.4, 1.0 for DuckDB 1.5 and later.'),
    '1.0',
  ),
}

type DuckLakeCall = Call<typeof PARAMETERS>

/** The answer with the catalog of a snapshot. `unpinned` are the headers where the URL does not name it. */
async function catalogAnswer(
  { deps, query, request }: DuckLakeCall,
  snapshot: Row<'snapshots'>,
  unpinned: Readonly<Record<string, string>> = {},
): Promise<Response> {
  if (deps.duckLakes === undefined) throw new Problem('unavailable', 'this server makes no catalogs')
  const { object, bytes, sha256 } = await deps.duckLakes.file({
    snapshotId: snapshot.snapshot_id,
    version: query.catalog,
    filesUrl: `${deps.publicUrl}/v1/lake/`,
  })
  return byteAnswer(request, {
    blobs: deps.blobs,
    key: object,
    bytes,
    sha256,
    type: MEDIA_TYPE,
    headers: {
      'Stepstore-Snapshot': String(snapshot.snapshot_id),
      'Stepstore-Position': formatPosition(snapshot.log_id, cutOf(snapshot)),
      ...unpinned,
    },
  })
}

function pinnedUrl(deps: QueryDeps, snapshotId: number, version: CatalogVersion): string {
  const query = version === '1.0' ? '' : `?catalog=${version}`
  return `${deps.publicUrl}/v1/lake/${snapshotId}.ducklake${query}`
}

const answers: readonly RouteAnswer[] = [
  { status: 200, description: 'The catalog.', types: [MEDIA_TYPE] },
  { status: 206, description: 'A range of it.', types: [MEDIA_TYPE] },
  { status: 304, description: 'If-None-Match names these bytes.', types: [] },
]

const pinned = route({
  path: '/v1/lake/{catalog}',
  tag: 'Lake',
  summary: 'Attach the lake in DuckDB as of a snapshot',
  detail:
    "`ATTACH 'ducklake:http://host:7070/v1/lake/42.ducklake' AS s`, then `SELECT … FROM s.steps`, also `AT (VERSION => 41)`. The file never changes; the Parquet files that it names are read over HTTP. Where a key is set: `CREATE SECRET (TYPE http, BEARER_TOKEN '…')` first.",
  pathParameters: { catalog: 'The number of a snapshot, with `.ducklake` behind it.' },
  parameters: PARAMETERS,
  problems: ['not_found', 'snapshot_expired', 'range_not_satisfiable', 'too_many', 'unavailable'],
  answers,
  handle: async (call) => {
    const name = call.path('catalog')
    const id = NAME.exec(name)?.[1]
    // DuckDB looks for a write-ahead log beside the file, and goes on when there is none.
    if (id === undefined)
      throw new Problem('not_found', `there is no ${JSON.stringify(name.slice(0, 80))} in the lake`, {
        hint: 'name a snapshot, as 42.ducklake; /v1/snapshots lists them, and /v1/lake.ducklake is the newest',
      })
    const snapshot = await snapshotOf(call.deps.store.db, Number(id))
    checkIncludes(snapshot, await wanted(call))
    return catalogAnswer(call, snapshot)
  },
})

/** The route of the newest. While ranges are read, it stays the one that was newest when somebody began to read. */
function newest(): Route {
  const begun = new Map<CatalogVersion, number>()
  return route({
    path: '/v1/lake.ducklake',
    tag: 'Lake',
    summary: 'Attach the newest state of the lake in DuckDB',
    detail:
      'The same as `/v1/lake/{snapshot}.ducklake` for the newest snapshot, whose URL is in `Content-Location`. What is attached for long should name its snapshot: DuckDB stops with an error when it comes back for more and the file is another one.',
    parameters: PARAMETERS,
    problems: ['not_found', 'range_not_satisfiable', 'behind', 'too_many', 'unavailable'],
    answers,
    handle: async (call) => {
      const { deps, query, request } = call
      const before = request.headers.has('range') ? begun.get(query.catalog) : undefined
      if (before === undefined) await reachSnapshot(call)
      const { db } = deps.store
      const snapshot = before === undefined ? await newestSnapshot(db) : await snapshotOf(db, before)
      begun.set(query.catalog, snapshot.snapshot_id)
      return catalogAnswer(call, snapshot, {
        'Cache-Control': 'private, no-cache',
        'Content-Location': pinnedUrl(deps, snapshot.snapshot_id, query.catalog),
      })
    },
  })
}

/** The routes of DuckLake catalogs. */
export function duckLakeRoutes(): readonly Route[] {
  return [newest(), pinned]
}
