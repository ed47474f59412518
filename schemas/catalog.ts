/** The catalog of the lake, shaped like DuckLake's: which files a table has at which snapshot. */
import { type Table, bigint, flag, json, nullable, text } from './columns.ts'

export const CATALOG_TABLES = {
  snapshots: {
    meaning: 'States of the lake. Every snapshot holds exactly the records below its cut.',
    key: ['snapshot_id'],
    columns: {
      snapshot_id: bigint('1, 2, 3 …'),
      created_at: text('When it was made.'),
      log_id: text('The log.'),
      cut: text('The next offset of each partition, as 0:123,3:45.'),
      published: flag('Whether its record is in blobs; only then may an answer name it.'),
    },
  },
  data_files: {
    meaning:
      'Parquet files of lake tables. A file belongs to the snapshots from begin_snapshot up to, not including, end_snapshot.',
    key: ['path'],
    columns: {
      path: text('The blob key.'),
      table_name: text('The lake table.'),
      dt: text('The day of append of its rows.'),
      begin_snapshot: bigint('The first snapshot that has it.'),
      end_snapshot: nullable(bigint('The first snapshot that no longer has it.')),
      rows: bigint('Rows.'),
      bytes: bigint('Size in bytes.'),
      sha256: text('The SHA-256 of the file.'),
      from_offsets: text('Its rows were entered at or above these offsets.'),
      to_offsets: text('And below these.'),
      stats: json('For each column that filters use: min, max and null count.'),
    },
  },
  lake_readers: {
    meaning: 'Readings of the lake under way. The files of their snapshots stay until they end or run out.',
    key: ['reader_id'],
    columns: {
      reader_id: text('A random id.'),
      snapshot_id: bigint('The snapshot that is read.'),
      expires_at: text('When it runs out, unless it is held longer.'),
    },
  },
  lake_orphans: {
    meaning: 'Objects of the lake that no snapshot has: what cuts and merges left that came to nothing.',
    key: ['path'],
    columns: {
      path: text('The blob key.'),
      bytes: bigint('Size in bytes.'),
      seen_at: text('When it was seen first.'),
      doomed: flag('Whether it is being removed. A file that is doomed can become part of no snapshot any more.'),
    },
  },
} as const satisfies Record<string, Table>
