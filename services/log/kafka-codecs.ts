/** Undoes what producers compress batches with: gzip, snappy, lz4 and zstd. The output is bounded. */
import { promisify } from 'node:util'
import { gunzip, zstdDecompress } from 'node:zlib'

const inflate = promisify(gunzip)
const inflateZstd = promisify(zstdDecompress)

/** Bytes that are not what their codec makes, or more than may come out. The message says which. */
export class CodecFault extends Error {}

/** The bytes that come out, in a buffer that grows up to a limit. */
class Output {
  bytes: Buffer
  length = 0
  readonly #bytesMax: number

  constructor(expected: number, bytesMax: number) {
    this.#bytesMax = bytesMax
    this.bytes = Buffer.allocUnsafe(Math.min(Math.max(expected, 1024), bytesMax))
  }

  /** Makes room for `count` more bytes. */
  need(count: number): void {
    const wanted = this.length + count
    if (wanted > this.#bytesMax) throw new CodecFault(`more than ${this.#bytesMax} bytes come out of it`)
    if (wanted <= this.bytes.length) return
    const grown = Buffer.allocUnsafe(Math.min(Math.max(wanted, this.bytes.length * 2), this.#bytesMax))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }

  put(source: Buffer, from: number, count: number): void {
    if (from + count > source.length) throw new CodecFault('it ends too early')
    this.need(count)
    source.copy(this.bytes, this.length, from, from + count)
    this.length += count
  }

  /** Repeats `count` bytes that begin `distance` before the end; they may overlap what they make. */
  repeat(distance: number, count: number): void {
    if (distance === 0 || distance > this.length) throw new CodecFault('a repeat begins before the first byte')
    this.need(count)
    if (distance >= count) this.bytes.copyWithin(this.length, this.length - distance, this.length - distance + count)
    else
      for (let place = this.length; place < this.length + count; place++)
        this.bytes[place] = this.bytes[place - distance] ?? 0
    this.length += count
  }

  all(): Buffer {
    return this.bytes.subarray(0, this.length)
  }
}

const byteAt = (bytes: Buffer, place: number): number => {
  const byte = bytes[place]
  if (byte === undefined) throw new CodecFault('it ends too early')
  return byte
}

/** One block in the raw format of snappy. */
function snappyBlock(bytes: Buffer, output: Output): void {
  let place = 0
  let expected = 0
  for (let shift = 0; ; shift += 7) {
    const byte = byteAt(bytes, place++)
    if (shift > 28) throw new CodecFault('its length makes no sense')
    expected += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) break
  }
  const end = output.length + expected
  output.need(expected)
  while (place < bytes.length) {
    const tag = byteAt(bytes, place++)
    const kind = tag & 3
    if (kind === 0) {
      let count = tag >>> 2
      if (count >= 60) {
        const width = count - 59
        count = 0
        for (let index = 0; index < width; index++) count += byteAt(bytes, place++) * 2 ** (8 * index)
      }
      output.put(bytes, place, count + 1)
      place += count + 1
    } else if (kind === 1) {
      output.repeat(((tag & 0xe0) << 3) | byteAt(bytes, place++), ((tag >>> 2) & 7) + 4)
    } else {
      const width = kind === 2 ? 2 : 4
      let distance = 0
      for (let index = 0; index < width; index++) distance += byteAt(bytes, place++) * 2 ** (8 * index)
      output.repeat(distance, (tag >>> 2) + 1)
    }
  }
  if (output.length !== end) throw new CodecFault('it does not have the length that it names')
}

const SNAPPY_JAVA = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])

/** Snappy as Java frames it (a magic, two versions, then blocks with their lengths), or one raw block. */
function snappy(bytes: Buffer, bytesMax: number): Buffer {
  const output = new Output(bytes.length * 4, bytesMax)
  if (!bytes.subarray(0, 8).equals(SNAPPY_JAVA)) snappyBlock(bytes, output)
  else {
    for (let place = 16; place < bytes.length;) {
      if (place + 4 > bytes.length) throw new CodecFault('it ends too early')
      const length = bytes.readUInt32BE(place)
      place += 4
      if (place + length > bytes.length) throw new CodecFault('it ends too early')
      snappyBlock(bytes.subarray(place, place + length), output)
      place += length
    }
  }
  return output.all()
}

function lz4Length(bytes: Buffer, from: number, nibble: number): { readonly length: number; readonly next: number } {
  let length = nibble
  let next = from
  if (nibble === 15) {
    for (;;) {
      const byte = byteAt(bytes, next++)
      length += byte
      if (byte !== 255) break
    }
  }
  return { length, next }
}

function lz4Block(bytes: Buffer, output: Output): void {
  for (let place = 0; place < bytes.length;) {
    const token = byteAt(bytes, place++)
    const literals = lz4Length(bytes, place, token >>> 4)
    output.put(bytes, literals.next, literals.length)
    place = literals.next + literals.length
    if (place === bytes.length) return
    const distance = byteAt(bytes, place) | (byteAt(bytes, place + 1) << 8)
    const match = lz4Length(bytes, place + 2, token & 15)
    output.repeat(distance, match.length + 4)
    place = match.next
  }
}

const LZ4_FRAME = 0x184d2204

/** The frame format of lz4. Its checksums are left alone: the batch has one of its own. */
function lz4(bytes: Buffer, bytesMax: number): Buffer {
  const output = new Output(bytes.length * 4, bytesMax)
  if (bytes.length < 11 || bytes.readUInt32LE(0) !== LZ4_FRAME) throw new CodecFault('it is no lz4 frame')
  const flags = byteAt(bytes, 4)
  if (flags >>> 6 !== 1) throw new CodecFault('its version of lz4 frames is unknown')
  const [blockChecksum, contentSize, dictionary] = [(flags & 0x10) !== 0, (flags & 0x08) !== 0, (flags & 0x01) !== 0]
  if (dictionary) throw new CodecFault('it needs a dictionary')
  for (let place = contentSize ? 15 : 7; ;) {
    if (place + 4 > bytes.length) throw new CodecFault('it ends too early')
    const size = bytes.readUInt32LE(place)
    place += 4
    if (size === 0) return output.all()
    const length = size & 0x7fffffff
    if (place + length > bytes.length) throw new CodecFault('it ends too early')
    if (size >>> 31 === 1) output.put(bytes, place, length)
    else lz4Block(bytes.subarray(place, place + length), output)
    place += length + (blockChecksum ? 4 : 0)
  }
}

const CODECS: readonly {
  readonly name: string
  readonly undo: (bytes: Buffer, bytesMax: number) => Promise<Buffer> | Buffer
}[] = [
  { name: 'none', undo: (bytes) => bytes },
  { name: 'gzip', undo: (bytes, maxOutputLength) => inflate(bytes, { maxOutputLength }) },
  { name: 'snappy', undo: snappy },
  { name: 'lz4', undo: lz4 },
  { name: 'zstd', undo: (bytes, maxOutputLength) => inflateZstd(bytes, { maxOutputLength }) },
]

/** The bytes that were compressed, at most `bytesMax`. `codec` is the number that the batch names. Throws `CodecFault`. */
export async function decompress(codec: number, bytes: Buffer, bytesMax: number): Promise<Buffer> {
  const known = CODECS[codec]
  if (known === undefined) throw new CodecFault(`codec ${codec} is unknown`)
  try {
    return await known.undo(bytes, bytesMax)
  } catch (error) {
    throw new CodecFault(`${known.name}: ${error instanceof Error ? error.message : 'not readable'}`, { cause: error })
  }
}
