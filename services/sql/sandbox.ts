/** DuckDB with views over the files of one snapshot and nothing else: no other file, no network, no extension, no setting. */
import { DuckDBInstance, type DuckDBConnection, type DuckDBPreparedStatement } from '@duckdb/node-api'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { SqlLimits, ToRun } from './messages.ts'
import { SQL_VIEWS, viewQuery } from './views.ts'

export interface Sandbox {
  readonly connection: DuckDBConnection
  /** A statement ready for its parameters; whoever asks for the same text again gets the same one. */
  prepare(sql: string): Promise<DuckDBPreparedStatement>
  close(): void
}

export interface SandboxOptions {
  /** Where it may spill, and where answers are written. */
  readonly folder: string
  readonly limits: SqlLimits
}

/** Statements that are kept, and the longest of them, in characters. To plan one reads statistics of all columns of its views. */
const KNOWN_MAX = 16
const KNOWN_CHARS = 4_000

const sqlText = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** Where answers are written. */
export const answerFolder = (folder: string): string => join(folder, 'answers')

/**
 * Opens one over the files of `views`; the other views are there and empty, so that names and columns can be asked for.
 * What may be read is set first, then the door is closed, then the lock: nothing that runs afterwards can open either.
 */
export async function openSandbox(
  { folder, limits }: SandboxOptions,
  { views, paths }: Pick<ToRun, 'views' | 'paths'>,
): Promise<Sandbox> {
  await mkdir(answerFolder(folder), { recursive: true })
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(limits.threads),
    memory_limit: `${limits.memoryMb}MB`,
    temp_directory: join(folder, 'spill'),
    max_temp_directory_size: `${limits.spillMb}MB`,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    allow_unredacted_secrets: 'false',
    allow_persistent_secrets: 'false',
  })
  try {
    const connection = await instance.connect()
    await connection.run(`SET GLOBAL TimeZone = 'UTC'`)
    // Files never change, so what was read of their footers stays true.
    await connection.run('SET GLOBAL parquet_metadata_cache = true')
    for (const view of SQL_VIEWS) {
      await connection.run(`CREATE VIEW ${view} AS ${viewQuery(view, views.includes(view) ? paths : {})}`)
    }
    const readable = views.length === 0 ? [] : Object.values(paths).flat()
    await connection.run(`SET allowed_paths = [${readable.map(sqlText).join(', ')}]`)
    await connection.run(`SET allowed_directories = [${sqlText(answerFolder(folder))}]`)
    await connection.run('SET enable_external_access = false')
    await connection.run('SET lock_configuration = true')
    const known = new Map<string, DuckDBPreparedStatement>()
    return {
      connection,
      prepare: async (sql) => {
        const statement = known.get(sql) ?? (await connection.prepare(sql))
        if (sql.length <= KNOWN_CHARS) known.set(sql, statement)
        const [oldest] = known
        if (known.size > KNOWN_MAX && oldest !== undefined) {
          known.delete(oldest[0])
          oldest[1].destroySync()
        }
        return statement
      },
      close: () => {
        for (const statement of known.values()) statement.destroySync()
        connection.closeSync()
        instance.closeSync()
      },
    }
  } catch (error) {
    instance.closeSync()
    // Not a fault of the query, whatever the engine calls it.
    throw new Error('the views could not be made', { cause: error })
  }
}
