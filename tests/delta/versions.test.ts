import fc from 'fast-check'
import { expect, test } from 'vitest'
import { commitKey, lastCheckpointKey } from '#services/delta/actions.ts'
import { versionAt } from '#services/delta/versions.ts'

const commit = (snapshotId: number): string =>
  `${JSON.stringify({ commitInfo: { engineInfo: 'stepstore', userMetadata: JSON.stringify({ snapshot_id: snapshotId }) } })}\n`

/** A log of these snapshots, without the commits before `kept`, and with a checkpoint where one is named. */
function logOf(snapshots: readonly number[], kept: number, checkpoint: number | undefined) {
  const texts = new Map(
    snapshots.flatMap((id, version) => (version < kept ? [] : [[commitKey('steps', version), commit(id)] as const])),
  )
  if (checkpoint !== undefined) texts.set(lastCheckpointKey('steps'), JSON.stringify({ version: checkpoint }))
  let reads = 0
  const get = async (key: string): Promise<Uint8Array | undefined> => {
    reads += 1
    const text = texts.get(key)
    return text === undefined ? undefined : new TextEncoder().encode(text)
  }
  return { get, reads: () => reads }
}

test('a snapshot is the last version that is not newer, wherever the checkpoint lies and whatever was removed', async () => {
  const logs = fc
    .tuple(fc.uniqueArray(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 120 }), fc.nat(), fc.nat())
    .map(([ids, kept, checkpoint]) => {
      const snapshots = ids.toSorted((left, right) => left - right)
      // Without a checkpoint nothing is removed; with one, only what lies before it.
      const at = checkpoint % 3 === 0 ? undefined : checkpoint % snapshots.length
      return { snapshots, checkpoint: at, kept: at === undefined ? 0 : kept % (at + 1) }
    })
  await fc.assert(
    fc.asyncProperty(logs, fc.integer({ min: 1, max: 420 }), async ({ snapshots, checkpoint, kept }, asked) => {
      const log = logOf(snapshots, kept, checkpoint)
      const version = snapshots.findLastIndex((id) => id <= asked)
      if (version < kept)
        await expect(versionAt(log, 'steps', asked)).rejects.toMatchObject({ code: 'snapshot_expired' })
      else expect(await versionAt(log, 'steps', asked)).toBe(version)
    }),
  )
})

test('of a long log few commits are read', async () => {
  const log = logOf(
    Array.from({ length: 20_000 }, (_, version) => version + 1),
    0,
    19_900,
  )
  expect(await versionAt(log, 'steps', 7_000)).toBe(6_999)
  expect(log.reads()).toBeLessThan(20)
})
