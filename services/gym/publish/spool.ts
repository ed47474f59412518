/** A bounded buffer on disk between the gym and the platform: what it took is sent, also after a crash. */
import {
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
  type FileHandle,
} from 'node:fs/promises'
import { join } from 'node:path'
import { Problem } from '#services/problem.ts'
import type { Logger } from '#services/logger.ts'
import type { GymEvent } from '#services/gym/loop/event.ts'
import type { RecordedImage, Recorder } from './recorder.ts'

/** Carries what was spooled to the platform. Tries again by itself; throws where that cannot help. */
export type Outlet = {
  putImage(imageId: string, bytes: Uint8Array): Promise<void>
  /** Resolves when the events are durable over there. */
  send(events: readonly Uint8Array[]): Promise<void>
}

export type SpoolOptions = {
  readonly folder: string
  readonly outlet: Outlet
  readonly logger: Logger
  /** How much may wait on disk; then `add` waits for room. Default 256 MiB. */
  readonly bytes_max?: number
  /** A new file is begun at this size. Default 4 MiB. */
  readonly segment_bytes_max?: number
  /** How long events are gathered before they are sent. Default 100 ms. */
  readonly linger_ms?: number
}

/** A recorder with a disk behind it. */
export type Spool = Recorder & {
  /** Resolves when everything that was added has been sent. Throws `unavailable`, as `add` does, with what keeps it from being sent. */
  flush(): Promise<void>
  /** How much waits. */
  pending(): { readonly bytes: number; readonly full: boolean }
  /** Why nothing is sent any more; null while it is. */
  failure(): string | null
  /** Stops sending. What was not sent stays on disk, for the next that opens the folder. */
  close(): Promise<void>
}

const batchBytesMax = 1024 * 1024
/** Names of pictures that were sent are remembered, up to so many: groups share their picture. */
const imagesKnownMax = 20_000

/** Where the next unsent byte is. */
type Cursor = { readonly segment: number; readonly offset: number }

/**
 * Opens the spool in `folder`, and begins to send what an earlier process left there. Sending is at least once: events
 * and pictures count once by their names. One process at a time; the caller holds the folder.
 */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  await mkdir(join(options.folder, 'images'), { recursive: true })
  const spool = new DiskSpool(options)
  await spool.start()
  return spool
}

class DiskSpool implements Spool {
  readonly #options: SpoolOptions
  readonly #bytesMax: number
  readonly #segmentMax: number
  #file: FileHandle | undefined
  #writing = 0
  #written = 0
  #cursor: Cursor = { segment: 0, offset: 0 }
  /** Bytes of lines that wait, and of the pictures that lie beside them. */
  #pending = 0
  #imageBytes = 0
  #queue: Promise<void> = Promise.resolve()
  #failure: Error | undefined
  #closed = false
  readonly #known = new Set<string>()
  #wake: (() => void) | undefined
  #changed = Promise.withResolvers<void>()
  #sending: Promise<void> = Promise.resolve()

  constructor(options: SpoolOptions) {
    this.#options = options
    this.#bytesMax = options.bytes_max ?? 256 * 1024 * 1024
    this.#segmentMax = options.segment_bytes_max ?? 4 * 1024 * 1024
  }

  async start(): Promise<void> {
    this.#cursor = await this.#readCursor()
    const segments = await this.#segments()
    for (const segment of segments) {
      const path = this.#path(segment)
      if (segment < this.#cursor.segment) {
        await rm(path, { force: true })
        continue
      }
      // A crash in the middle of a write leaves half a line, of which nobody was told that it is kept.
      const whole = (await readFile(path)).lastIndexOf(10) + 1
      await truncate(path, whole)
      this.#pending += whole - (segment === this.#cursor.segment ? this.#cursor.offset : 0)
    }
    for (const name of await readdir(join(this.#options.folder, 'images')))
      this.#imageBytes += (await stat(join(this.#options.folder, 'images', name))).size
    const last = segments.at(-1) ?? this.#cursor.segment
    this.#writing = Math.max(last, this.#cursor.segment)
    this.#file = await open(this.#path(this.#writing), 'a')
    this.#written = (await this.#file.stat()).size
    this.#sending = this.#sendAll()
  }

  async add(events: readonly GymEvent[], images: readonly RecordedImage[] = []): Promise<void> {
    while (this.pending().full && this.#failure === undefined && !this.#closed) await this.#changed.promise
    const work = this.#queue.then(() => this.#append(events, images))
    this.#queue = work.catch(() => {})
    await work
  }

  async #append(events: readonly GymEvent[], images: readonly RecordedImage[]): Promise<void> {
    this.#check()
    const lines: string[] = []
    for (const { image_id, bytes } of images) {
      if (this.#known.has(image_id)) continue
      this.#known.add(image_id)
      if (this.#known.size > imagesKnownMax) for (const oldest of this.#known) if (this.#known.delete(oldest)) break
      await writeFile(this.#image(image_id), bytes)
      this.#imageBytes += bytes.length
      lines.push(`#${image_id}\n`)
    }
    for (const event of events) lines.push(`${JSON.stringify(event)}\n`)
    const bytes = Buffer.from(lines.join(''))
    if (this.#written >= this.#segmentMax) await this.#rotate()
    await this.#file?.appendFile(bytes)
    this.#written += bytes.length
    this.#pending += bytes.length
    this.#wake?.()
  }

  async #rotate(): Promise<void> {
    const next = await open(this.#path(this.#writing + 1), 'a')
    await this.#file?.close()
    this.#file = next
    this.#writing++
    this.#written = 0
  }

  async flush(): Promise<void> {
    for (;;) {
      await this.#queue
      this.#check()
      if (this.#pending === 0) return
      await this.#changed.promise
    }
  }

  pending() {
    const bytes = this.#pending + this.#imageBytes
    // Pictures that nothing names any more are no reason to wait.
    return { bytes, full: this.#pending > 0 && bytes >= this.#bytesMax }
  }

  failure(): string | null {
    return this.#failure?.message ?? null
  }

  async close(): Promise<void> {
    if (this.#closed) return
    await this.#queue
    this.#closed = true
    this.#wake?.()
    this.#tell()
    await this.#sending
    await this.#file?.close()
    this.#file = undefined
  }

  #check(): void {
    if (this.#failure !== undefined) throw cannotPublish(this.#failure)
    if (this.#closed) throw new Problem('unavailable', 'the spool of the gym is closed')
  }

  #tell(): void {
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers<void>()
    resolve()
  }

  async #sendAll(): Promise<void> {
    try {
      while (!this.#closed) {
        if (this.#pending === 0) await this.#woken()
        if (this.#closed) return
        await new Promise((resolve) => setTimeout(resolve, this.#options.linger_ms ?? 100))
        await this.#sendBatch()
      }
    } catch (error) {
      if (this.#closed) return
      this.#failure = error instanceof Error ? error : new Error(String(error))
      this.#options.logger('error', 'events of the gym cannot be sent', { error: this.#failure.message })
      this.#tell()
    }
  }

  async #woken(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    if (this.#pending === 0 && !this.#closed) await promise
    this.#wake = undefined
  }

  async #sendBatch(): Promise<void> {
    const { segment, offset } = this.#cursor
    const batch = await readLines(this.#path(segment), offset, batchBytesMax)
    if (batch.length === 0) {
      if (segment >= this.#writing) return
      await this.#moveTo({ segment: segment + 1, offset: 0 })
      await rm(this.#path(segment), { force: true })
      return
    }
    const { outlet } = this.#options
    const images = batch.filter((line) => line[0] === 35).map((line) => line.subarray(1).toString())
    const sizes: number[] = []
    for (const image of images) sizes.push(await this.#sendImage(image))
    const events = batch.filter((line) => line[0] !== 35)
    if (events.length > 0) await outlet.send(events)
    const bytes = batch.reduce((sum, line) => sum + line.length + 1, 0)
    await this.#moveTo({ segment, offset: offset + bytes })
    this.#pending -= bytes
    for (const image of images) await rm(this.#image(image), { force: true })
    this.#imageBytes = Math.max(0, this.#imageBytes - sizes.reduce((sum, size) => sum + size, 0))
    this.#tell()
  }

  /** Sends a picture; one that is gone was sent with an earlier line. Answers its size. */
  async #sendImage(imageId: string): Promise<number> {
    const bytes = await readFile(this.#image(imageId)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (bytes === undefined) return 0
    await this.#options.outlet.putImage(imageId, bytes)
    return bytes.length
  }

  async #moveTo(cursor: Cursor): Promise<void> {
    const path = join(this.#options.folder, 'cursor.json')
    await writeFile(`${path}.new`, JSON.stringify(cursor))
    await rename(`${path}.new`, path)
    this.#cursor = cursor
  }

  async #readCursor(): Promise<Cursor> {
    const path = join(this.#options.folder, 'cursor.json')
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (text === undefined) return { segment: 0, offset: 0 }
    const { segment, offset } = JSON.parse(text) as Partial<Cursor>
    if (Number.isSafeInteger(segment) && Number.isSafeInteger(offset))
      return { segment: segment ?? 0, offset: offset ?? 0 }
    throw new Problem('corrupt', `${path} is not what the gym wrote`, {
      hint: 'remove it: everything in the folder is sent again, and counts once',
    })
  }

  async #segments(): Promise<number[]> {
    const names = await readdir(this.#options.folder)
    return names
      .flatMap((name) => (/^\d{8}\.ndjson$/.test(name) ? [Number(name.slice(0, 8))] : []))
      .toSorted((a, b) => a - b)
  }

  #path(segment: number): string {
    return join(this.#options.folder, `${String(segment).padStart(8, '0')}.ndjson`)
  }

  #image(imageId: string): string {
    return join(this.#options.folder, 'images', `${imageId}.png`)
  }
}

/** Whoever plays has done nothing wrong, so this is no fault of a request. */
function cannotPublish(failure: Error): Problem {
  return new Problem('unavailable', `the gym cannot publish what is played: ${failure.message}`, {
    hint: 'STEPSTORE_URL and STEPSTORE_KEY of the gym say where it publishes: mend them, and start it again; what was not sent stays in its data folder',
    cause: failure,
  })
}

/** Whole lines of a file from an offset on, at most about `bytesMax` of them but at least one. */
async function readLines(path: string, offset: number, bytesMax: number): Promise<Buffer[]> {
  const { size } = await stat(path)
  if (size <= offset) return []
  const file = await open(path, 'r')
  try {
    for (let wanted = Math.min(bytesMax, size - offset); ; wanted = Math.min(size - offset, wanted * 2)) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(wanted), 0, wanted, offset)
      const end = buffer.subarray(0, bytesRead).lastIndexOf(10)
      if (end >= 0) return split(buffer.subarray(0, end))
      if (wanted >= size - offset) return []
    }
  } finally {
    await file.close()
  }
}

function split(text: Buffer): Buffer[] {
  const lines: Buffer[] = []
  let from = 0
  for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10, from)) {
    lines.push(text.subarray(from, end))
    from = end + 1
  }
  lines.push(text.subarray(from))
  return lines
}
