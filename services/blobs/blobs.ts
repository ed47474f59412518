/** The blobs port: immutable objects by key. Where the lake, images and datasets lie. */

/** Bytes in memory, or a local file that is moved in (it is gone afterwards). */
export type BlobBody = Uint8Array | { readonly file: string }

/** A half-open range of bytes, [start, end). */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export interface BlobInfo {
  readonly key: string
  readonly bytes: number
}

export interface Blobs {
  /**
   * Stores an object durably and all at once: no reader ever sees a part of it. With `ifAbsent`, an object that is
   * there already stays as it is and `created` is false. Throws `unavailable` (disk full, server gone).
   */
  put(key: string, body: BlobBody, options?: { readonly ifAbsent?: boolean }): Promise<{ readonly created: boolean }>
  /** The bytes of an object (meant for small ones), or undefined. */
  get(key: string): Promise<Uint8Array | undefined>
  /** A stream over a range of an object; it stops reading when it is cancelled. Throws `not_found`. */
  stream(key: string, range?: ByteRange): Promise<ReadableStream<Uint8Array>>
  /** The size of an object, or undefined. */
  head(key: string): Promise<BlobInfo | undefined>
  /** Objects whose key begins with `prefix`, in order of key. */
  list(prefix: string): AsyncIterable<BlobInfo>
  /** Removes an object; nothing happens where there is none. */
  delete(key: string): Promise<void>
  /** A path at which a local program (DuckDB) can read the object; it may be a cached copy. Throws `not_found`. */
  localPath(key: string): Promise<string>
  close(): Promise<void>
}

/** Keys are relative paths of safe segments; everything that writes one keeps to this. */
export const BLOB_KEY = /^(?!.*(^|\/)\.{1,2}(\/|$))[A-Za-z0-9._=@+-]+(\/[A-Za-z0-9._=@+-]+)*$/
