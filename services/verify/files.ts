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
export async function compareObject(blobs: Blobs, where: string, key: string, expected: { readonly sha256: string; readonly bytes?: number }, differences: Differences): Promise<boolean> {
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
    differences.add({ where, key, what: 'the bytes are not those that were stored', expected: expected.sha256, found: found.sha256 })
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
