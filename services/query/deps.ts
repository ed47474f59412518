/** What the query program needs of its surroundings, said by the few members that it uses. */
import type { Engine } from '#services/analytics/lake-rows.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { DuckLakes } from '#services/ducklake/ducklake.ts'
import type { Log } from '#services/log/log.ts'
import type { Logger } from '#services/logger.ts'
import type { Offsets } from '#services/position.ts'
import type { Sql } from '#services/sql/sql.ts'
import type { Store } from '#services/store/store.ts'
import type { VerifyReport } from '#services/verify/report.ts'

/** The running projection. */
export interface Projection {
  /** What is folded and committed, by partition. */
  readonly offsets: Offsets
  /** Whether the store came to include `want` within the time. */
  waitFor(want: Offsets, timeoutMs: number, signal?: AbortSignal): Promise<boolean>
  /** The rebuild under way, if any. */
  readonly rebuilding?: { readonly reason: string; readonly folded: number; readonly total: number } | undefined
  /** Why nothing moves, where a batch keeps failing. */
  readonly failing?: string | undefined
}

/** A published state of the lake. */
export interface SnapshotView {
  readonly snapshot_id: number
  readonly created_at: string
  readonly cut: Offsets
}

/** The running archive. */
export interface ArchiveView {
  readonly newest: SnapshotView | undefined
  /** Why no cut comes about, where one keeps failing. */
  readonly failing?: string | undefined
  /** The first snapshot that includes the offsets, or undefined where none came in time. */
  reach(offsets: Offsets, timeoutMs: number, signal?: AbortSignal): Promise<SnapshotView | undefined>
}

/** A record with its place, as bodies are read from the lake. */
export interface LakeRecord {
  readonly partition: number
  readonly offset: number
  readonly appendedAtMs: number
  readonly headers: Readonly<Record<string, string>>
  readonly value: Uint8Array
}

export interface QueryDeps {
  readonly store: Store
  readonly log: Log
  readonly blobs: Blobs
  readonly project: Projection
  readonly archive: ArchiveView
  /** Reads records that the log no longer holds; what is not found is left out. */
  readonly lakeRecords?: (
    places: readonly { readonly partition: number; readonly offset: number }[],
  ) => Promise<readonly LakeRecord[]>
  /** DuckDB for statistics: frames of the lake, and Parquet. */
  readonly engine?: Engine
  /** SQL over the lake. */
  readonly sql?: Pick<Sql, 'query'>
  /** Catalogs of the lake for DuckDB to attach. */
  readonly duckLakes?: DuckLakes
  /** Compares log, store and lake. */
  readonly verify?: () => Promise<VerifyReport>
  readonly logger: Logger
  /** The time, in milliseconds since 1970. */
  readonly clock: () => number
  /** The base of the URLs that we hand out, without a slash at its end. */
  readonly publicUrl: string
  /** The key that every request must bear, where one is set. */
  readonly key?: string | undefined
}
