import { expect } from 'vitest'
import type { LakeTableName } from '#schemas/lake.ts'
import type { ArchiveWorld, Held } from '#tests/support/archive-world.ts'

/** That a snapshot has one row a key in every table; what it holds. */
export async function expectWhole(world: ArchiveWorld, snapshotId: number): Promise<Record<LakeTableName, Held>> {
  const tables = await world.lakeAt(snapshotId)
  for (const [table, { n, distinctKeys }] of Object.entries(tables))
    expect({ table, distinctKeys }).toEqual({ table, distinctKeys: n })
  return tables
}
