/**
 * The records of builds in blobs. A record is put if absent and fixes the bytes of its URL; a pin says that somebody was
 * given that URL as one that stays; what was built and not pinned goes after a while. Bytes lie under their hash and may
 * be of several builds, so each build notes under the hash that it needs them.
 */
import type { Blobs } from '#services/blobs/blobs.ts'
import { Problem } from '#services/problem.ts'
import type { Manifest } from './manifest.ts'

export interface BuildRecords {
  /** The manifest of a build that is there, or undefined. */
  find(id: string): Promise<Manifest | undefined>
  /** The manifests whose bytes have this hash, at most 100. */
  ofBytes(sha256: string): Promise<readonly Manifest[]>
  /**
   * Puts the bytes into blobs and makes the manifest the one of its build, unless there is one already; gives the one
   * that counts.
   */
  record(manifest: Manifest, file: string): Promise<Manifest>
  /** Keeps a build for ever. */
  pin(id: string): Promise<void>
  /** Removes builds that are older than `ageMs` and neither pinned nor used. Returns how many. */
  sweep(ageMs: number, isUsed: (manifest: Manifest) => Promise<boolean>): Promise<number>
}

const RECORDS = 'datasets/builds/'
const recordKey = (id: string) => `${RECORDS}${id}.json`
const pinKey = (id: string) => `datasets/pins/${id}`
const USES = 'datasets/uses/'
/** Under the name of the object: bytes of two formats are two objects even where they are equal. */
const usesPrefix = (object: string) => `${USES}${object.slice(object.lastIndexOf('/') + 1)}/`

/** How many manifests and pins are remembered; they are small. */
const REMEMBERED_MAX = 512
const SAME_BYTES_MAX = 100
const EMPTY = new Uint8Array()

/** Forgets the oldest entries beyond the bound. */
export function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key)
  map.set(key, value)
  for (const oldest of map.keys()) {
    if (map.size <= REMEMBERED_MAX) break
    map.delete(oldest)
  }
}

/** Runs what it is given one after the other. */
function oneAtATime(): <Result>(work: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const next = last.then(work, work)
    last = next.catch(() => {})
    return next
  }
}

/** Records in blobs. `clock` gives milliseconds since 1970. */
export function buildRecords(blobs: Blobs, clock: () => number): BuildRecords {
  const manifests = new Map<string, Manifest>()
  const pins = new Map<string, true>()
  // Bytes that a sweep is about to remove must not be taken for there by a build that has the same.
  const alone = oneAtATime()

  async function find(id: string): Promise<Manifest | undefined> {
    const known = manifests.get(id)
    if (known !== undefined) return known
    const bytes = await blobs.get(recordKey(id))
    if (bytes === undefined) return undefined
    const manifest = JSON.parse(Buffer.from(bytes).toString('utf8')) as Manifest
    remember(manifests, id, manifest)
    return manifest
  }

  async function usersOf(prefix: string): Promise<string[]> {
    const ids: string[] = []
    for await (const { key } of blobs.list(prefix)) {
      ids.push(key.slice(key.lastIndexOf('/') + 1))
      if (ids.length === SAME_BYTES_MAX) break
    }
    return ids
  }

  async function remove({ build, object }: Manifest): Promise<void> {
    manifests.delete(build)
    await blobs.delete(recordKey(build))
    await blobs.delete(`${usesPrefix(object)}${build}`)
    if ((await usersOf(usesPrefix(object))).length === 0) await blobs.delete(object)
  }

  return {
    find,
    ofBytes: async (sha256) => {
      const found = await Promise.all((await usersOf(`${USES}${sha256}`)).map(find))
      return found.filter((manifest) => manifest !== undefined)
    },

    record: (manifest, file) =>
      alone(async () => {
        // The note comes first: bytes without a build are found by their hash, a build without bytes is broken.
        await blobs.put(`${usesPrefix(manifest.object)}${manifest.build}`, EMPTY, { ifAbsent: true })
        await blobs.put(manifest.object, { file }, { ifAbsent: true })
        const bytes = Buffer.from(JSON.stringify(manifest))
        const { created } = await blobs.put(recordKey(manifest.build), bytes, { ifAbsent: true })
        const first = created ? manifest : await find(manifest.build)
        if (first === undefined)
          throw new Problem('corrupt', `the record of build ${manifest.build} is there and cannot be read`)
        remember(manifests, manifest.build, first)
        return first
      }),

    pin: async (id) => {
      if (pins.has(id)) return
      await blobs.put(pinKey(id), EMPTY, { ifAbsent: true })
      remember(pins, id, true)
    },

    sweep: async (ageMs, isUsed) => {
      let swept = 0
      for await (const { key } of blobs.list(RECORDS)) {
        const id = key.slice(RECORDS.length).replace('.json', '')
        if ((await blobs.head(pinKey(id))) !== undefined) continue
        const manifest = await find(id)
        if (manifest === undefined || Date.parse(manifest.created_at) > clock() - ageMs) continue
        if (await isUsed(manifest)) continue
        await alone(async () => {
          // Somebody may have pinned it since.
          if ((await blobs.head(pinKey(id))) === undefined) await remove(manifest)
        })
        swept += 1
      }
      return swept
    },
  }
}
