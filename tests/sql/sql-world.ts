/** SQL over a small lake with one snapshot. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silent } from '#services/logger.ts'
import type { SqlFormat, SqlLimits, SqlParams } from '#services/sql/messages.ts'
import { openSql, type Sql } from '#services/sql/sql.ts'
import { type LakeRows, type SmallLake, smallLake } from '#tests/datasets/small-lake.ts'

export interface SqlWorld {
  readonly lake: SmallLake
  readonly sql: Sql
  readonly folder: string
  bytes(text: string, options?: Asked): Promise<Uint8Array>
  /** The rows of a query. */
  rows(text: string, options?: Omit<Asked, 'format'>): Promise<Record<string, unknown>[]>
  close(): Promise<void>
}

export interface Asked {
  readonly params?: SqlParams
  readonly format?: SqlFormat
  readonly signal?: AbortSignal
}

const TIME = '2026-01-01T00:00:00.000001Z'
const told = (offset: number) => ({
  partition: 0,
  offset,
  appended_at: TIME,
  time: TIME,
  content_hash: 'h',
  dt: '2026-01-01',
})

/** A finished rollout with its score. */
export function rollout(
  id: string,
  of: {
    readonly reward: number | string | null
    readonly index?: number
    readonly group?: string
    readonly status?: string
    readonly at?: number
    readonly parts?: Readonly<Record<string, number>>
  },
): LakeRows {
  const at = of.at ?? 0
  return {
    trajectories: [
      {
        run_id: 'r',
        trajectory_id: id,
        item_id: 'i',
        group_id: of.group ?? null,
        group_size: 2,
        rollout_index: of.index ?? null,
        policy_version: 1,
        train_step: 7,
        status: of.status ?? 'completed',
        partition: 0,
        first_offset: at,
        finished_offset: at + 1,
        last_offset: at + 1,
        n_steps: 1,
        n_tool_calls: 1,
        started_at: TIME,
        dt: '2026-01-01',
      },
    ],
    scores:
      of.reward === null
        ? []
        : [
            {
              trajectory_id: id,
              reward_version: null,
              ...told(at + 1),
              reward: of.reward,
              r_correct: of.parts?.['correct'] ?? null,
              parts: of.parts === undefined ? null : JSON.stringify(of.parts),
            },
          ],
  }
}

/** The rows of several together. */
export function together(...all: readonly LakeRows[]): LakeRows {
  const found: Record<string, unknown[]> = {}
  for (const rows of all) for (const [table, some] of Object.entries(rows)) (found[table] ??= []).push(...some)
  return found as LakeRows
}

export const ONE_RUN: LakeRows = {
  runs: [
    { run_id: 'r', partition: 0, first_offset: 0, last_offset: 0, kind: 'rl', reward_version: 'v', dt: '2026-01-01' },
  ],
  items: [
    {
      item_id: 'i',
      ...told(0),
      dataset: 'ChartQA',
      family: 'Chart',
      split: 'train',
      question: '?',
      answer: ['4', '5'],
    },
  ],
}

export async function sqlWorld(rows: LakeRows, limits: Partial<SqlLimits> = {}, processes = 1): Promise<SqlWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'stepstore-sql-'))
  const lake = await smallLake()
  await lake.add(rows)
  const sql = await openSql({
    blobs: lake.blobs,
    filesAt: async (tables, id) => {
      const filesOf = async (table: string) =>
        (await lake.catalog.filesAt(table as Parameters<typeof lake.catalog.filesAt>[0], id)).map(({ path }) => ({
          table_name: table,
          path,
        }))
      return (await Promise.all(tables.map(filesOf))).flat()
    },
    folder: join(folder, 'sql'),
    logger: silent,
    limits,
    processes,
    waitingMax: 2,
  })
  const bytes = async (text: string, { params = [], format = 'json', signal }: Asked = {}): Promise<Uint8Array> => {
    const answer = await sql.query({
      sql: text,
      params,
      format,
      snapshotId: 1,
      signal: signal ?? new AbortController().signal,
    })
    return new Uint8Array(await new Response(answer.body).arrayBuffer())
  }
  return {
    lake,
    sql,
    folder,
    bytes,
    rows: async (text, options = {}) => {
      const found = JSON.parse(Buffer.from(await bytes(text, options)).toString()) as {
        rows: Record<string, unknown>[]
      }
      return found.rows
    },
    close: async () => {
      await sql.close()
      await lake.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
