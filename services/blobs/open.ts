/** Opens the blobs that the settings name. Adapters are loaded when they are needed. */
import type { Blobs } from './blobs.ts'

/** Opens the blobs. Throws `unavailable` where the folder cannot be made. */
export async function openBlobs(where: { readonly kind: 'directory'; readonly folder: string }): Promise<Blobs> {
  const { directoryBlobs } = await import('./directory.ts')
  return directoryBlobs({ folder: where.folder })
}
