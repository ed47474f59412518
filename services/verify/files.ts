/** Reads stored objects again and compares their bytes with the hash that they were stored under. */
import { createHash } from 'node:crypto'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { Differences } from './report.ts'

/** The SHA-256 and size of an object, or undefined where there is none. */
export async function hashOf(blobs: Blobs, key: string): Promise<{ sha256: string; bytes: number } | undefined> {
  if ((await blobs.head(key)) === undefined) return undefined
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of await blobs.stream(key)) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { sha256: hash.digest('hex'), bytes }
}

/** Compares one object. True when it is as it should be. */
export async function compareObject(
  blobs: Blobs,
  where: string,
  key: string,
  expected: { readonly sha256: string; readonly bytes?: number },
  differences: Differences,
): Promise<boolean> {
  const found = await hashOf(blobs, key)
  if (found === undefined) {
    differences.add({ where, key, what: 'the object is missing' })
    return false
  }
  if (expected.bytes !== undefined && found.bytes !== expected.bytes) {
    differences.add({ where, key, what: 'the object is cut or grown', expected: expected.bytes, found: found.bytes })
    return false
  }
  if (found.sha256 !== expected.sha256) {
    differences.add({
      where,
      key,
      what: 'the bytes are not those that were stored',
      expected: expected.sha256,
      found: found.sha256,
    })
    return false
  }
  return true
}

/** Objects that are named by the hash of their bytes. */
const NAMED_BY_HASH = [
  { prefix: 'images/', where: 'image' },
  { prefix: 'datasets/objects/', where: 'dataset' },
] as const

/** Compares everything that is named by its own hash: images and dataset objects. Returns how many there are. */
export async function compareNamed(blobs: Blobs, differences: Differences): Promise<number> {
  let count = 0
  for (const { prefix, where } of NAMED_BY_HASH) {
    for await (const { key } of blobs.list(prefix)) {
      const sha256 = /([0-9a-f]{64})(\.[a-z0-9]+)?$/.exec(key)?.[1]
      if (sha256 === undefined) continue
      count += 1
      await compareObject(blobs, where, key, { sha256 }, differences)
    }
  }
  return count
}

/** The object of a picture. */
const imageKey = (imageId: string): string => `images/${imageId.slice(0, 2)}/${imageId}`

/** Looks for the bytes of images that the log says are stored. What is there is compared by `compareNamed`. */
export async function findImages(blobs: Blobs, imageIds: Iterable<string>, differences: Differences): Promise<void> {
  for (const imageId of imageIds) {
    const key = imageKey(imageId)
    if ((await blobs.head(key)) === undefined) differences.add({ where: 'image', key, what: 'the object is missing' })
  }
}

/** Looks for the object of each dataset that was built: its URL promises these bytes for ever. */
export async function findDatasets(blobs: Blobs, differences: Differences): Promise<void> {
  for await (const { key } of blobs.list('datasets/builds/')) {
    const object = objectOf(await blobs.get(key))
    if (object === undefined) differences.add({ where: 'dataset', key, what: 'the record of the build cannot be read' })
    else if ((await blobs.head(object)) === undefined)
      differences.add({ where: 'dataset', key: object, what: 'the object is missing' })
  }
}

function objectOf(manifest: Uint8Array | undefined): string | undefined {
  try {
    const { object } = JSON.parse(Buffer.from(manifest ?? []).toString('utf8')) as { object?: unknown }
    return typeof object === 'string' ? object : undefined
  } catch {
    return undefined
  }
}
