/** Opens the blobs that the settings name. Adapters are loaded when they are needed. */
import { type Logger, silent } from '#services/logger.ts'
import type { Blobs } from './blobs.ts'

/** Where blobs lie. */
export type BlobsPlace =
  | { readonly kind: 'directory'; readonly folder: string }
  /** `s3://bucket/prefix?endpoint=…&region=…&path_style=…`; local copies go to `cacheFolder`. */
  | { readonly kind: 's3'; readonly url: string; readonly cacheFolder: string }

/** Blobs that may tell whether their server keeps conditions on puts. */
export type OpenedBlobs = Blobs & { readonly conditionalPuts?: boolean | undefined }

/** Opens the blobs. Throws `unavailable` where the folder cannot be made or the bucket cannot be used. */
export async function openBlobs(place: BlobsPlace, logger: Logger = silent): Promise<OpenedBlobs> {
  if (place.kind === 's3') {
    const [{ s3Blobs }, { s3Place }] = await Promise.all([import('./s3.ts'), import('./s3-url.ts')])
    return s3Blobs({ ...s3Place(place.url), cacheFolder: place.cacheFolder, logger })
  }
  const { directoryBlobs } = await import('./directory.ts')
  return directoryBlobs({ folder: place.folder })
}
