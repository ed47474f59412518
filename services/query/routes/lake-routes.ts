/** /v1/snapshots and /v1/lake: the states of the lake and their Parquet files, for readers that need no server. */
import { sql } from 'kysely'
import { Files, SnapshotRow } from '#schemas/http-operations.ts'
import { listOf } from '#schemas/http.ts'
import { LAKE_TABLE_NAMES } from '#schemas/lake.ts'
import { nearest } from '#services/core/nearest.ts'
import { formatPosition } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { byteAnswer } from '#services/query/bytes/byte-answer.ts'
import { LIST_PARAMETERS, page, parseCursor } from '#services/query/cursor.ts'
import type { QueryDeps } from '#services/query/deps.ts'
import { integer } from '#services/query/parameters.ts'
import { jsonAnswer, wanted } from '#services/query/reading.ts'
import { type Route, route } from '#services/query/route.ts'
import {
  checkIncludes,
  cutOf,
  newestSnapshot,
  publishedSnapshots,
  reachSnapshot,
  snapshotOf,
} from '#services/query/snapshots.ts'

const tag = 'Lake'

const snapshots = route({
  path: '/v1/snapshots',
  tag,
  summary: 'List snapshots of the lake',
  detail:
    'Newest first. A snapshot holds exactly the records below its cut. With `after`, a snapshot that includes it is waited for.',
  parameters: LIST_PARAMETERS,
  answers: [{ status: 200, description: 'A page of snapshots.', schema: listOf(SnapshotRow) }],
  handle: async (call) => {
    const { deps, query } = call
    const key = parseCursor('snapshots', 1, query.cursor)
    await reachSnapshot(call)
    const { rows, newest } = await deps.store.transaction(async ({ db }) => ({
      newest: await publishedSnapshots(db).orderBy('snapshot_id', 'desc').limit(1).executeTakeFirst(),
      rows: await publishedSnapshots(db)
        .where(key === undefined ? sql<boolean>`true` : sql<boolean>`snapshot_id < ${key[0]}::bigint`)
        .orderBy('snapshot_id', 'desc')
        .limit(query.limit + 1)
        .execute(),
    }))
    const found = page('snapshots', rows, query.limit, (row) => [row.snapshot_id])
    const shown = found.rows.map((row) => ({
      snapshot_id: row.snapshot_id,
      created_at: row.created_at,
      cut: row.cut,
      position: formatPosition(row.log_id, cutOf(row)),
    }))
    return jsonAnswer(deps, { rows: shown, next: found.next }, newest === undefined ? new Map() : cutOf(newest))
  },
})

function knownTable(name: string): string {
  if (LAKE_TABLE_NAMES.some((known) => known === name)) return name
  const near = nearest(name, LAKE_TABLE_NAMES)
  throw new Problem('not_found', `the lake has no table ${JSON.stringify(name.slice(0, 80))}`, {
    hint: near === undefined ? `it has ${LAKE_TABLE_NAMES.join(', ')}` : `did you mean ${near}?`,
  })
}

/** Where a file of the lake is read: its blob key begins with `lake/`, and so does the path of its URL. */
const fileUrl = (deps: QueryDeps, path: string) =>
  `${deps.publicUrl}/v1/${path.split('/').map(encodeURIComponent).join('/').replaceAll('%3D', '=')}`

const pathParameters = { table: `A table: ${LAKE_TABLE_NAMES.join(', ')}.` }

const files = route({
  path: '/v1/lake/{table}/files',
  tag,
  summary: 'List the Parquet files of a table at a snapshot',
  detail: 'In order of path. Read them with anything that reads Parquet; they never change.',
  pathParameters,
  parameters: { ...LIST_PARAMETERS, snapshot: integer('The snapshot; without it, the newest.', { minimum: 1 }) },
  answers: [{ status: 200, description: 'A page of files.', schema: Files }],
  problems: ['not_found', 'snapshot_expired', 'behind'],
  handle: async (call) => {
    const { deps, query } = call
    const table = knownTable(call.path('table'))
    const key = parseCursor(`files ${table}`, 2, query.cursor)
    if (key === undefined && query.snapshot === undefined) await reachSnapshot(call)
    const want = key === undefined && query.snapshot !== undefined ? await wanted(call) : new Map<number, number>()
    // Pages of one list are of one snapshot, which the cursor names.
    const wantedSnapshot = query.snapshot ?? (key === undefined ? undefined : Number(key[0]))
    const { snapshot, rows } = await deps.store.transaction(async ({ db }) => {
      const at = await (wantedSnapshot === undefined ? newestSnapshot(db) : snapshotOf(db, wantedSnapshot))
      checkIncludes(at, want)
      const id = at.snapshot_id
      const found = await db
        .selectFrom('data_files')
        .selectAll()
        .where('table_name', '=', table)
        .where(sql<boolean>`begin_snapshot <= ${id}::bigint and (end_snapshot is null or end_snapshot > ${id}::bigint)`)
        .where(key === undefined ? sql<boolean>`true` : sql<boolean>`path > ${key[1]}::text`)
        .orderBy('path')
        .limit(query.limit + 1)
        .execute()
      return { snapshot: at, rows: found }
    })
    const found = page(`files ${table}`, rows, query.limit, (row) => [snapshot.snapshot_id, row.path])
    const shown = found.rows.map(({ path, dt, rows: count, bytes, sha256, begin_snapshot, stats }) => ({
      path,
      url: fileUrl(deps, path),
      dt,
      rows: count,
      bytes,
      sha256,
      begin_snapshot,
      stats,
    }))
    return jsonAnswer(deps, { snapshot: snapshot.snapshot_id, table, rows: shown, next: found.next }, cutOf(snapshot))
  },
})

const file = route({
  path: '/v1/lake/{table}/{day}/{file}',
  tag,
  summary: 'Read a Parquet file of the lake',
  detail: 'As listed under /v1/lake/{table}/files. HEAD, ranges and validators work.',
  pathParameters: { ...pathParameters, day: 'dt=YYYY-MM-DD.', file: 'The name of the file.' },
  parameters: {},
  answers: [
    { status: 200, description: 'The file.', types: ['application/vnd.apache.parquet'] },
    { status: 206, description: 'A range of it.', types: ['application/vnd.apache.parquet'] },
  ],
  problems: ['not_found', 'range_not_satisfiable'],
  handle: async ({ deps, path, request }) => {
    const key = `lake/${knownTable(path('table'))}/${path('day')}/${path('file')}`
    const row = await deps.store.db
      .selectFrom('data_files')
      .select(['bytes', 'sha256'])
      .where('path', '=', key)
      .executeTakeFirst()
    if (row === undefined)
      throw new Problem('not_found', `there is no file ${JSON.stringify(key.slice(0, 200))}`, {
        hint: 'list them: /v1/lake/{table}/files',
      })
    return byteAnswer(request, {
      blobs: deps.blobs,
      key,
      bytes: row.bytes,
      sha256: row.sha256,
      type: 'application/vnd.apache.parquet',
    })
  },
})

export const LAKE_ROUTES: readonly Route[] = [snapshots, files, file]
