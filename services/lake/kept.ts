/**
 * Snapshots that somebody marked as `keep`: they do not expire. The mark lies in blobs, since a lost store must not
 * cost the snapshot.
 */
import type { Blobs } from '#services/blobs/blobs.ts'

const FOLDER = 'catalog-kept/'
const markOf = (snapshotId: number) => `${FOLDER}${String(snapshotId).padStart(12, '0')}`

/** Marks a snapshot. Doing it twice changes nothing. */
export async function keepSnapshot(blobs: Blobs, snapshotId: number): Promise<void> {
  await blobs.put(markOf(snapshotId), new Uint8Array(), { ifAbsent: true })
}

/** Takes the mark away: from then on the snapshot expires by its age. */
export async function releaseSnapshot(blobs: Blobs, snapshotId: number): Promise<void> {
  await blobs.delete(markOf(snapshotId))
}

/** The snapshots that are marked, ascending. */
export async function keptSnapshots(blobs: Blobs): Promise<number[]> {
  const ids: number[] = []
  for await (const { key } of blobs.list(FOLDER)) ids.push(Number(key.slice(FOLDER.length)))
  return ids
}
