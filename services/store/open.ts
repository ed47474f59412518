/** Opens the store that the settings name. Adapters are loaded when they are needed. */
import type { Logger } from '#services/logger.ts'
import type { Store } from './store.ts'

/** Where a store lies. */
export interface StorePlace {
  readonly kind: 'pglite'
  readonly folder: string
}

/** Opens the store. Throws what the adapter throws: `store_in_use`, `newer_data`. `onDoubt` as the adapter says. */
export async function openStore(place: StorePlace, options: { readonly logger: Logger; readonly onDoubt: (reason: string) => void }): Promise<Store> {
  const { pgliteStore } = await import('./pglite.ts')
  return pgliteStore({ folder: place.folder, ...options })
}
