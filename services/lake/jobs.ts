/** What the lake process can be asked to do. Requests and results travel between processes: plain data only. */
import type { LakeTableName } from '#schemas/lake.ts'
import type { Row } from '#schemas/tables.ts'
import type { HashRange } from '#services/core/recent-hashes.ts'
import type { BlobsPlace } from '#services/blobs/open.ts'
import type { LogPlace } from '#services/log/open.ts'
import type { Offsets } from '#services/position.ts'
import type { WrittenFile } from './parquet.ts'

/** The lake tables whose rows may change after they were written. */
export type ChangingTable = 'trajectories' | 'runs' | 'images'

/** A file of a changing table that is in the lake and may hold rows that changed since. */
export interface HeldFile {
  readonly table: ChangingTable
  /** The blob key. */
  readonly path: string
  readonly localPath: string
  readonly dt: string
  readonly from: Offsets
  readonly to: Offsets
}

/** A record that the log no longer holds, as the lake kept it. */
export interface KeptRecord {
  readonly partition: number
  readonly offset: number
  readonly appendedAtMs: number
  readonly headers: Readonly<Record<string, string>>
  readonly value: Uint8Array
}

export type RecordPlace = Pick<KeptRecord, 'partition' | 'offset'>

/** Makes rows of the records in [from, to), which are folded, for the next cut, while the last one is being written. */
export interface StageRequest {
  readonly log: LogPlace
  readonly from: Offsets
  readonly to: Offsets
  /** Content hashes of records in [from, to) that project has computed already, by partition; the rest is computed. */
  readonly hashes: ReadonlyMap<number, HashRange>
  /** The verdicts on records in [from, to) that were not accepted. */
  readonly verdicts: readonly Row<'verdicts'>[]
}

/**
 * Writes the files of a cut: everything in [from, to), and again the held files that have rows which changed. What was
 * staged from `from` on is used.
 */
export interface CutRequest extends StageRequest {
  /** Rows as they are at `to` that changed in [from, to). */
  readonly rows: { readonly [Table in ChangingTable]: readonly Row<Table>[] }
  readonly held: readonly HeldFile[]
  /** Records below `from` that the log no longer holds, after an answer that named them as missing. */
  readonly kept: readonly KeptRecord[]
  /** An empty folder for the files; the caller removes it. */
  readonly folder: string
}

export interface CutResult {
  /** Records below `from` that are needed and that neither the log nor `kept` holds. Where there are any, nothing was written. */
  readonly missing: readonly RecordPlace[]
  readonly files: readonly WrittenFile[]
  /** New files in the place of held ones, by the blob key of the old. */
  readonly rewritten: readonly { readonly path: string; readonly file: WrittenFile }[]
  readonly records: number
  /** Raw bytes of the records. */
  readonly bytes: number
}

/** Writes the rows of several files of one table and day into one file, sorted. */
export interface MergeRequest {
  readonly table: LakeTableName
  readonly dt: string
  /** The files, at local paths. */
  readonly localPaths: readonly string[]
  /** The level of zstd. */
  readonly level: number
  /** Where the new file is written. */
  readonly localPath: string
}

/** Statements in order on one connection; the first that fails ends the job. */
export interface CopyRequest {
  readonly prepare: readonly string[]
  /** A query that gives (left_out, n). */
  readonly counts: string
  /** Absent where only the counts are wanted. */
  readonly write?: CopyWrite
}

/** Rows of a query, in order, written one after the other by the process itself. */
export interface RowStream {
  /** `arrow` writes typed columns; of the others the first column is a row as JSON text. */
  readonly as: 'arrow' | 'jsonl' | 'tar'
  readonly sql: string
  readonly path: string
  /** Columns that are lists of images by hash, whose bytes are put in. */
  readonly images: readonly string[]
  /** The columns of `arrow` with their DuckDB types. */
  readonly columns?: Readonly<Record<string, string>>
}

/** A statement; with `onlyIf` it is run only where that query gives a row. */
export type Gathering = string | { readonly sql: string; readonly onlyIf: string }

/** How rows are gathered and written. */
export interface CopyWrite {
  readonly gather: readonly Gathering[]
  /** A query over what was gathered that gives (why, n): trajectories that were selected and give no row. */
  readonly notTaken?: string
  /** Makes the table `embedded` of the relation `rows`, with the bytes of the images in these columns. */
  readonly embed?: { readonly columns: readonly string[]; readonly images: readonly string[] }
  readonly copy: string | RowStream
  /** Where the bytes of images lie. */
  readonly blobs?: BlobsPlace
}

export interface CopyResult {
  /** Rows of `counts`. */
  readonly counts: readonly (readonly [leftOut: string | null, n: number])[]
  /** Rows of `notTaken`. */
  readonly notTaken: readonly (readonly [why: string, n: number])[]
  /** Rows written. */
  readonly rows: number
  /** The engine and its version, such as `duckdb v1.5.6`. */
  readonly engine: string
}

/** A query whose rows come back, at most `rowsMax` of them. */
export interface RowsRequest {
  readonly sql: string
  readonly rowsMax: number
}

export interface RowsResult {
  /** Values as JSON; BLOBs as bytes; BIGINT as a number where that is exact, else as text. */
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  /** Whether there were more rows than `rowsMax`. */
  readonly cut: boolean
}

export interface Jobs {
  readonly stage: { readonly request: StageRequest; readonly result: { readonly records: number } }
  readonly cut: { readonly request: CutRequest; readonly result: CutResult }
  readonly merge: { readonly request: MergeRequest; readonly result: WrittenFile }
  readonly copy: { readonly request: CopyRequest; readonly result: CopyResult }
  readonly rows: { readonly request: RowsRequest; readonly result: RowsResult }
}

export type JobKind = keyof Jobs

/** What a job sees of its surroundings. */
export interface JobContext {
  readonly signal: AbortSignal
  /** The share of the work that is done, 0 to 1. */
  readonly progress: (share: number) => void
  /** The bytes of an image; undefined where they are not held. */
  readonly image?: (hash: string) => Promise<Uint8Array | undefined>
}
