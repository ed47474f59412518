/** Opens the store that the settings name. Adapters are loaded when they are needed. */
import type { Logger } from '#services/logger.ts'
import type { Store } from './store.ts'

/** Where a store lies. */
export type StorePlace =
  | { readonly kind: 'pglite'; readonly folder: string }
  /** `postgres://…` or `postgresql://…` */
  | { readonly kind: 'postgres'; readonly url: string }

export interface StoreOptions {
  readonly logger: Logger
  readonly clock: () => Date
  /** Told why what was there could not be trusted and is gone. */
  readonly onDoubt: (reason: string) => void
}

/** Opens the store. Throws what the adapter throws: `store_in_use`, `newer_data`, `unavailable`. */
export async function openStore(place: StorePlace, options: StoreOptions): Promise<Store> {
  if (place.kind === 'postgres') {
    const { postgresStore } = await import('./postgres.ts')
    return postgresStore({ url: place.url, logger: options.logger })
  }
  const { pgliteStore } = await import('./pglite.ts')
  return pgliteStore({ folder: place.folder, ...options })
}
