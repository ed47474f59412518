/** Blobs as files of a folder. An object appears under its name only when it is whole and on the disk. */
import { randomUUID } from 'node:crypto'
import { copyFile, link, mkdir, open, readFile, readdir, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Problem } from '#services/problem.ts'
import { BLOB_KEY, type BlobBody, type BlobInfo, type Blobs, type ByteRange } from './blobs.ts'
import { codeOf, diskProblem } from './disk-problem.ts'
import { fileStream } from './file-stream.ts'

export interface DirectoryBlobsOptions {
  /** Where the objects lie; made where it is missing. Several openings may share it. */
  readonly folder: string
}

/** Holds files that are not whole yet. No key can begin with a tilde, so no object can be in it. */
const INCOMING = '~incoming'
/** After this long a file in INCOMING is no upload any more, whatever process bears its number now. */
const INCOMING_MS_MAX = 3_600_000

const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'EISDIR'])

const notFound = (key: string): Problem => new Problem('not_found', `there is no object ${key}`)

function checkKey(key: string): void {
  if (!BLOB_KEY.test(key)) throw new Problem('invalid', `not a blob key: ${JSON.stringify(key.slice(0, 80))}`)
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Puts the names of new folders on the disk: from the innermost up to the one that was there before. */
async function syncUpTo(innermost: string, outermost: string): Promise<void> {
  await sync(innermost)
  if (innermost !== outermost && innermost.startsWith(outermost)) await syncUpTo(dirname(innermost), outermost)
}

async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (!ABSENT.has(codeOf(error))) throw error
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/** Removes what uploads left that never ended: those of processes that are gone, and those that are too old to be true. */
async function sweep(incoming: string): Promise<void> {
  for (const name of await readdir(incoming)) {
    const path = join(incoming, name)
    const pid = Number(name.split('-')[0])
    const old = await stat(path).then(
      (info) => Date.now() - info.mtimeMs > INCOMING_MS_MAX,
      () => false,
    )
    if (old || !Number.isSafeInteger(pid) || !isAlive(pid)) await removeFile(path)
  }
}

/** Opens a folder as blobs. Throws `unavailable` where it cannot be written. */
export async function directoryBlobs(options: DirectoryBlobsOptions): Promise<Blobs> {
  const folder = resolve(options.folder)
  const incoming = join(folder, INCOMING)
  const firstMade = await mkdir(incoming, { recursive: true })
  if (firstMade !== undefined) await syncUpTo(folder, dirname(firstMade))
  await sweep(incoming)
  return new DirectoryBlobs(folder, incoming)
}

class DirectoryBlobs implements Blobs {
  readonly #folder: string
  readonly #incoming: string
  /** Folders whose own entry is on the disk, as far as this opening knows. One entry a folder: days and tables, no more. */
  readonly #durableFolders = new Map<string, Promise<void>>()

  constructor(folder: string, incoming: string) {
    this.#folder = folder
    this.#incoming = incoming
  }

  async put(
    key: string,
    body: BlobBody,
    options: { readonly ifAbsent?: boolean } = {},
  ): Promise<{ readonly created: boolean }> {
    checkKey(key)
    const temporary = join(this.#incoming, `${process.pid}-${randomUUID()}`)
    try {
      if (body instanceof Uint8Array) await writeDurably(temporary, body)
      else await takeIn(body.file, temporary)
      return { created: await this.#publish(temporary, join(this.#folder, key), options.ifAbsent === true) }
    } catch (error) {
      await removeFile(temporary).catch(() => undefined)
      throw diskProblem(error, 'the blobs folder')
    }
  }

  async #publish(temporary: string, path: string, ifAbsent: boolean): Promise<boolean> {
    const folder = dirname(path)
    await this.#durableFolder(folder)
    let created = true
    if (ifAbsent) {
      // link() fails where the name is taken, so of many that race exactly one wins; rename() would replace.
      try {
        await link(temporary, path)
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error
        created = false
      }
      await removeFile(temporary)
    } else {
      await rename(temporary, path)
    }
    // The loser of a race waits too: it may only say "it is there" when that is true after a power cut.
    await sync(folder)
    return created
  }

  /** Makes a folder and sees to it that its name, and those of its parents, are on the disk. */
  #durableFolder(path: string): Promise<void> {
    const known = this.#durableFolders.get(path)
    if (known !== undefined) return known
    const made = this.#makeFolder(path)
    this.#durableFolders.set(path, made)
    made.catch(() => this.#durableFolders.delete(path))
    return made
  }

  async #makeFolder(path: string): Promise<void> {
    if (path !== this.#folder) await this.#durableFolder(dirname(path))
    await mkdir(path, { recursive: true })
    await sync(dirname(path))
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    checkKey(key)
    return absentAsUndefined(readFile(join(this.#folder, key)))
  }

  async stream(key: string, range?: ByteRange): Promise<ReadableStream<Uint8Array>> {
    const info = await this.head(key)
    if (info === undefined) throw notFound(key)
    const start = range?.start ?? 0
    const end = Math.min(range?.end ?? info.bytes, info.bytes)
    if (start > info.bytes || start > end) throw new Problem('range_not_satisfiable', `${key} has ${info.bytes} bytes`)
    return fileStream(join(this.#folder, key), { start, end })
  }

  async head(key: string): Promise<BlobInfo | undefined> {
    checkKey(key)
    const info = await absentAsUndefined(stat(join(this.#folder, key)))
    return info?.isFile() === true ? { key, bytes: info.size } : undefined
  }

  async *list(prefix: string): AsyncIterable<BlobInfo> {
    const slash = prefix.lastIndexOf('/')
    yield* this.#walk(slash < 0 ? '' : prefix.slice(0, slash + 1), prefix)
  }

  /** The objects under `at` (empty, or ending in a slash) whose key begins with `prefix`. */
  async *#walk(at: string, prefix: string): AsyncIterable<BlobInfo> {
    const entries = (await absentAsUndefined(readdir(join(this.#folder, at), { withFileTypes: true }))) ?? []
    // A folder sorts by its name with the slash, as its keys do.
    const names = entries
      .filter((entry) => entry.name !== INCOMING)
      .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    for (const name of names.sort()) {
      const key = at + name
      if (key.endsWith('/')) {
        if (key.startsWith(prefix) || prefix.startsWith(key)) yield* this.#walk(key, prefix)
      } else if (key.startsWith(prefix)) {
        const info = await this.head(key)
        if (info !== undefined) yield info
      }
    }
  }

  async delete(key: string): Promise<void> {
    checkKey(key)
    await removeFile(join(this.#folder, key))
  }

  async localPath(key: string): Promise<string> {
    if ((await this.head(key)) === undefined) throw notFound(key)
    return join(this.#folder, key)
  }

  async close(): Promise<void> {
    // Nothing stays open between calls.
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, 'wx')
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Moves a file in: by its name where both lie on one file system, by copying where not. Its bytes are on the disk afterwards. */
async function takeIn(file: string, temporary: string): Promise<void> {
  try {
    await rename(file, temporary)
  } catch (error) {
    if (codeOf(error) !== 'EXDEV') throw error
    await copyFile(file, temporary)
    await unlink(file)
  }
  await sync(temporary)
}

async function absentAsUndefined<Value>(reading: Promise<Value>): Promise<Value | undefined> {
  try {
    return await reading
  } catch (error) {
    if (ABSENT.has(codeOf(error))) return undefined
    throw diskProblem(error, 'the blobs folder')
  }
}
