/** Builds that were begun and did not end yet, noted in blobs: who starts again goes on with them. */
import type { Blobs } from '#services/blobs/blobs.ts'
import type { PinnedRequest } from './request.ts'

/** A build as it is noted. */
export interface Pending extends PinnedRequest {
  /** How often a server began it. */
  readonly begun: number
}

export interface PendingBuilds {
  /** How often a build was begun and noted; 0 where it is not noted. */
  begun(id: string): Promise<number>
  /** Notes a build, and how often it was begun. */
  note(id: string, pinned: PinnedRequest, begun: number): Promise<void>
  /** Forgets a build that ended, however it did. */
  end(id: string): Promise<void>
  /** Whether a build is noted. */
  has(id: string): Promise<boolean>
  /** All that are noted. */
  all(): AsyncIterable<{ readonly id: string; readonly pending: Pending }>
}

const PREFIX = 'datasets/pending/'
const keyOf = (id: string) => `${PREFIX}${id}.json`

/** Notes in blobs. */
export function pendingBuilds(blobs: Blobs): PendingBuilds {
  async function read(key: string): Promise<Pending | undefined> {
    const bytes = await blobs.get(key)
    return bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString('utf8')) as Pending)
  }
  return {
    begun: async (id) => (await read(keyOf(id)))?.begun ?? 0,
    note: async (id, { request, snapshotId }, begun) => {
      await blobs.put(keyOf(id), Buffer.from(JSON.stringify({ request, snapshotId, begun })))
    },
    end: (id) => blobs.delete(keyOf(id)),
    has: async (id) => (await blobs.head(keyOf(id))) !== undefined,
    all: async function* () {
      for await (const { key } of blobs.list(PREFIX)) {
        const pending = await read(key)
        if (pending !== undefined) yield { id: key.slice(PREFIX.length).replace('.json', ''), pending }
      }
    },
  }
}
