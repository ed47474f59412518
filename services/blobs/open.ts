/** Opens the blobs that the settings name. Adapters are loaded when they are needed. */
import type { Blobs } from './blobs.ts'

/** Where blobs lie. */
export interface BlobsPlace {
  readonly kind: 'directory'
  readonly folder: string
}

/** Opens the blobs. Throws `unavailable` where the folder cannot be made. */
export async function openBlobs(place: BlobsPlace): Promise<Blobs> {
  const { directoryBlobs } = await import('./directory.ts')
  return directoryBlobs({ folder: place.folder })
}
