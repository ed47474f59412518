/** How much room built datasets take, by the runs that they were asked for. */
import type { Blobs } from '#services/blobs/blobs.ts'

export interface DatasetBytes {
  /** The runs that the filter names, parted by commas; empty for datasets over all runs. */
  readonly runs: string
  readonly datasets: number
  readonly bytes: number
}

/** More builds than this are not looked at. */
const BUILDS_MAX = 10_000

/** Adds up the records of builds in blobs. A file that several builds share counts for each. */
export async function datasetBytes(blobs: Blobs): Promise<DatasetBytes[]> {
  const found = new Map<string, { datasets: number; bytes: number }>()
  let looked = 0
  for await (const { key } of blobs.list('datasets/builds/')) {
    if (++looked > BUILDS_MAX) break
    const { filter, bytes } = JSON.parse(Buffer.from((await blobs.get(key)) ?? []).toString('utf8') || '{}') as {
      filter?: unknown
      bytes?: unknown
    }
    if (typeof filter !== 'string' || typeof bytes !== 'number') continue
    const runs = new URLSearchParams(filter).getAll('run').sort().join(', ')
    const sum = found.get(runs) ?? { datasets: 0, bytes: 0 }
    found.set(runs, { datasets: sum.datasets + 1, bytes: sum.bytes + bytes })
  }
  return [...found].map(([runs, sum]) => ({ runs, ...sum })).sort((left, right) => right.bytes - left.bytes)
}
