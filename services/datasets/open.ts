/** Datasets over the programs that serve them. */
import { join } from 'node:path'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { Lake } from '#services/lake/lake.ts'
import type { Logger } from '#services/logger.ts'
import type { Offsets } from '#services/position.ts'
import type { Store } from '#services/store/store.ts'
import { datasets, type Datasets } from './datasets.ts'
import { storeCatalog } from './store-catalog.ts'

export interface OpenDatasetsOptions {
  readonly store: Store
  readonly blobs: Blobs
  /** A lake process of their own, so that a heavy dataset never delays a cut. */
  readonly lake: Lake
  readonly archive: { reach(offsets: Offsets, timeoutMs: number, signal?: AbortSignal): Promise<{ readonly snapshot_id: number } | undefined> }
  readonly logger: Logger
  /** The time, in milliseconds since 1970. */
  readonly clock: () => number
}

/** Opens datasets. Close them before the lake. */
export function openDatasets({ store, blobs, lake, archive, logger, clock }: OpenDatasetsOptions): Datasets {
  return datasets({
    blobs, logger, clock, catalog: storeCatalog(store), scratchDir: join(lake.scratchDir, 'datasets'),
    reach: (offsets, timeoutMs, signal) => archive.reach(offsets, timeoutMs, signal),
    runCopy: (request, options) => lake.copy(request, options),
  })
}
