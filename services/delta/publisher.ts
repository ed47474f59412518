/**
 * Publishes the lake as Delta tables, for readers that know nothing of us: each lake table has its log beside its files.
 * It follows the catalog, so that a publisher that was away, or died between two puts, goes on where the log ends; a
 * version is put if absent and made from the catalog alone, so that several may publish at once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { LAKE_TABLE_NAMES, type LakeTableName } from '#schemas/lake.ts'
import type { Row } from '#schemas/tables.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { type DataFile, filesAt, newestSnapshot } from '#services/lake/catalog.ts'
import { deltaThrough, noteDeltaThrough } from '#services/lake/delta-progress.ts'
import type { Lake } from '#services/lake/lake.ts'
import { errorText, type Logger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import type { Store } from '#services/store/store.ts'
import { type Change, checkpointKey, commitKey, commitText, noteOf, schemaHash } from './actions.ts'
import { lastCheckpoint, writeCheckpoint } from './checkpoint.ts'

export interface DeltaOptions {
  readonly store: Store
  readonly blobs: Blobs
  /** Writes checkpoints. */
  readonly lake: Lake
  readonly logger: Logger
  /** Whether it is this process's turn; where it is not, nothing is published. Default: always. */
  readonly isActive?: () => boolean
  /** How often it looks for new snapshots. Default 2 s. */
  readonly everyMs?: number
  /** A checkpoint is written each time so many versions are new. Default 100. */
  readonly checkpointEvery?: number
  /** Commits and checkpoints of older versions than these are removed, a step of `checkpointEvery` at a time. Default 20,000. */
  readonly versionsKept?: number
}

export interface DeltaPublisher {
  /** Why nothing is published, where it keeps failing; undefined while all is well. */
  readonly failing: string | undefined
  /** Ends at the next version and stops. */
  stop(): Promise<void>
}

const EVERY_MS = 2_000
const CHECKPOINT_EVERY = 100
const VERSIONS_KEPT = 20_000
/** Snapshots whose changes are read at once. */
const SNAPSHOTS_MAX = 500

/** Where the log of a table ends. */
interface End {
  readonly version: number
  readonly snapshotId: number
  readonly schema: string
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')

/** Finds the end of a log: from the last checkpoint on there are few versions to try. */
async function endOf(blobs: Blobs, table: LakeTableName): Promise<End | undefined> {
  let version = (await lastCheckpoint(blobs, table)) ?? 0
  let last: Uint8Array | undefined
  for (let next = await blobs.get(commitKey(table, version)); next !== undefined;) {
    last = next
    version += 1
    next = await blobs.get(commitKey(table, version))
  }
  if (last === undefined) return undefined
  const note = noteOf(textOf(last))
  if (note === undefined) throw foreign(table, version - 1)
  return { version: version - 1, snapshotId: note.snapshot_id, schema: note.schema }
}

function foreign(table: LakeTableName, version: number): Problem {
  return new Problem('corrupt', `${commitKey(table, version)} was not written by Stepstore`, {
    hint: `another engine wrote to the table: let others read only. Remove the folder _delta_log of ${table}, and it is published anew`,
  })
}

class Publisher implements DeltaPublisher {
  failing: string | undefined
  readonly #options: DeltaOptions
  readonly #stopping = new AbortController()
  readonly #ends = new Map<LakeTableName, End>()
  #through = 0
  #running: Promise<void> = Promise.resolve()

  constructor(options: DeltaOptions) {
    this.#options = options
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    const { everyMs = EVERY_MS, logger, isActive = () => true } = this.#options
    while (!signal.aborted) {
      try {
        if (isActive()) await this.turn(signal)
        this.failing = undefined
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        this.failing = errorText(error)
        // What was known of the logs may be wrong, so it is read again.
        this.#ends.clear()
        logger('error', 'delta log not published', { error: this.failing, retry_in_ms: everyMs })
      }
      await sleep(everyMs, undefined, { signal }).catch(() => undefined)
    }
  }

  /** Publishes everything up to the newest snapshot. */
  async turn(signal: AbortSignal): Promise<void> {
    const { store } = this.#options
    const newest = await newestSnapshot(store.db)
    if (newest === undefined) return
    const { snapshot_id: through } = newest
    const noted = await deltaThrough(store.db)
    if (through === this.#through && through === noted) return
    for (const table of LAKE_TABLE_NAMES) {
      const end = this.#ends.get(table) ?? (await endOf(this.#options.blobs, table)) ?? (await this.#begin(table))
      this.#ends.set(table, end)
      await this.#follow(table, through, signal)
    }
    if (noted < through) await noteDeltaThrough(store.db, through)
    this.#through = through
  }

  /** Publishes the first version: the oldest snapshot that is kept, whole. */
  async #begin(table: LakeTableName): Promise<End> {
    const { db } = this.#options.store
    const oldest = await db
      .selectFrom('snapshots')
      .selectAll()
      .where('published', '=', true)
      .orderBy('snapshot_id')
      .limit(1)
      .executeTakeFirstOrThrow()
    const added = await filesAt(db, table, oldest.snapshot_id)
    return this.#commit(0, changeOf(table, oldest, { added, removed: [], isSameRows: false, withSchema: true }))
  }

  async #follow(table: LakeTableName, through: number, signal: AbortSignal): Promise<void> {
    let end = this.#ends.get(table)
    let seen = end?.snapshotId ?? 0
    while (end !== undefined && seen < through) {
      const to = Math.min(through, seen + SNAPSHOTS_MAX)
      const changes = await this.#changes(table, seen, to)
      for (const change of changes) {
        signal.throwIfAborted()
        const withSchema = end.schema !== schemaHash(table)
        end = await this.#commit(end.version + 1, { ...change, withSchema })
        this.#ends.set(table, end)
        await this.#checkpoint(table, end, change, signal)
      }
      seen = to
    }
    // So that snapshots that did not touch the table are not looked at again.
    if (end !== undefined) this.#ends.set(table, { ...end, snapshotId: Math.max(end.snapshotId, through) })
  }

  /** What snapshots in (from, to] changed of a table, one change for each that did. */
  async #changes(table: LakeTableName, from: number, to: number): Promise<Change[]> {
    const { db } = this.#options.store
    const snapshots = await db
      .selectFrom('snapshots')
      .selectAll()
      .where('snapshot_id', '>=', from)
      .where('snapshot_id', '<=', to)
      .where('published', '=', true)
      .orderBy('snapshot_id')
      .execute()
    const within = (id: number | null): boolean => id !== null && id > from && id <= to
    const rows = (await db
      .selectFrom('data_files')
      .selectAll()
      .where('table_name', '=', table)
      .where((where) =>
        where.or([
          where.and([where('begin_snapshot', '>', from), where('begin_snapshot', '<=', to)]),
          where.and([where('end_snapshot', '>', from), where('end_snapshot', '<=', to)]),
        ]),
      )
      .execute()) as DataFile[]
    const ids = new Set(rows.flatMap((row) => [row.begin_snapshot, row.end_snapshot]).filter(within))
    return snapshots.flatMap((snapshot, index) => {
      const id = snapshot.snapshot_id
      if (!ids.has(id)) return []
      const added = rows.filter((row) => row.begin_snapshot === id)
      const removed = rows.filter((row) => row.end_snapshot === id)
      const isSameRows = removed.length > 0 && snapshots[index - 1]?.cut === snapshot.cut
      return [changeOf(table, snapshot, { added, removed, isSameRows, withSchema: false })]
    })
  }

  /** Puts a version. Where it is there already, it must be of the same snapshot. */
  async #commit(version: number, change: Change): Promise<End> {
    const { blobs } = this.#options
    const { table, snapshotId } = change
    const key = commitKey(table, version)
    const { created } = await blobs.put(key, new TextEncoder().encode(commitText(change)), { ifAbsent: true })
    if (!created) {
      const note = noteOf(textOf((await blobs.get(key)) ?? new Uint8Array()))
      if (note === undefined) throw foreign(table, version)
      if (note.snapshot_id !== snapshotId)
        throw new Problem(
          'conflict',
          `version ${version} of ${table} is snapshot ${note.snapshot_id}, not ${snapshotId}`,
          {
            hint: 'another publisher was faster; the log is read again',
          },
        )
    }
    return { version, snapshotId, schema: schemaHash(table) }
  }

  async #checkpoint(table: LakeTableName, end: End, change: Change, signal: AbortSignal): Promise<void> {
    const { blobs, lake, store, checkpointEvery = CHECKPOINT_EVERY, versionsKept = VERSIONS_KEPT } = this.#options
    const { version, snapshotId } = end
    if (version === 0 || version % checkpointEvery !== 0) return
    const files = await filesAt(store.db, table, snapshotId)
    const timestamp = Date.parse(change.createdAt)
    await writeCheckpoint(blobs, lake, { table, version, logId: change.logId, snapshotId, timestamp, files }, signal)
    // The checkpoint at `oldest` stays, from which the versions after it are read.
    const oldest = version - versionsKept
    for (let old = Math.max(0, oldest - checkpointEvery); old < oldest; old++) {
      await blobs.delete(commitKey(table, old))
      if (old % checkpointEvery === 0) await blobs.delete(checkpointKey(table, old))
    }
  }
}

function changeOf(
  table: LakeTableName,
  { log_id: logId, snapshot_id: snapshotId, created_at: createdAt, cut }: Row<'snapshots'>,
  rest: Pick<Change, 'added' | 'removed' | 'isSameRows' | 'withSchema'>,
): Change {
  return { table, logId, snapshotId, createdAt, cut, ...rest }
}

/** Starts to publish. */
export function startDelta(options: DeltaOptions): DeltaPublisher {
  const publisher = new Publisher(options)
  publisher.start()
  return publisher
}

/** Publishes everything that is there now, once. */
export async function publishDelta(options: DeltaOptions, signal: AbortSignal): Promise<void> {
  await new Publisher(options).turn(signal)
}
