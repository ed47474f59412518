/** Opens the store that the settings name. Adapters are loaded when they are needed. */
import type { Logger } from '#services/logger.ts'
import type { Store } from './store.ts'

/** Opens the store. Throws what the adapter throws: `store_in_use`, `newer_data`, `unavailable`. */
export async function openStore(where: { readonly kind: 'pglite'; readonly folder: string }, logger: Logger): Promise<Store> {
  const { pgliteStore } = await import('./pglite.ts')
  return pgliteStore({ folder: where.folder, logger })
}
