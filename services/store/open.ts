/** Opens the store that the settings name. Adapters are loaded when they are needed. */
import type { Logger } from '#services/logger.ts'
import type { Store } from './store.ts'

/** Where a store lies. */
export interface StorePlace {
  readonly kind: 'pglite'
  readonly folder: string
}

export interface StoreOptions {
  readonly logger: Logger
  readonly clock: () => Date
  /** Told why what was there could not be trusted and is gone. */
  readonly onDoubt: (reason: string) => void
}

/** Opens the store. Throws what the adapter throws: `store_in_use`, `newer_data`. */
export async function openStore(place: StorePlace, options: StoreOptions): Promise<Store> {
  const { pgliteStore } = await import('./pglite.ts')
  return pgliteStore({ folder: place.folder, ...options })
}
