import { convertIndexedToRgb, decode, type DecodedPng } from 'fast-png'
import { ToolFailure, type Pixels } from '#services/gym/tools/tool.ts'

/** The most pixels that are decoded: 16 million, some 64 MB in memory. */
export const PIXELS_MAX = 16_000_000

const bytesMax = 16 * 1024 * 1024
const magic = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

/**
 * The pixels of a PNG as RGBA, 8 bits a channel, laid on white where it is transparent. Throws ToolFailure
 * (`InvalidImage`) for bytes that are no PNG, are cut off, or would unpack to more than `PIXELS_MAX`: the size is read
 * from the header before anything is unpacked.
 */
export function decodedPng(bytes: Uint8Array): Pixels {
  if (bytes.length < 33 || bytes.length > bytesMax || magic.some((byte, at) => bytes[at] !== byte)) {
    throw new ToolFailure('InvalidImage', 'the image is not a PNG of at most 16 MB')
  }
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const [width, height] = [header.getUint32(16), header.getUint32(20)]
  if (width * height > PIXELS_MAX || width * height === 0) {
    throw new ToolFailure('InvalidImage', `the image is ${width} x ${height} pixels; 1 to ${PIXELS_MAX} can be read`)
  }
  try {
    return { width, height, data: onWhite(decode(bytes), width * height) }
  } catch (error) {
    const why = error instanceof Error ? error.message : 'it is broken'
    throw new ToolFailure('InvalidImage', `the image cannot be read: ${why}`)
  }
}

function onWhite(image: DecodedPng, count: number): Uint8Array {
  if (image.depth < 8 && image.palette === undefined) throw new Error(`${image.depth} bits a pixel are not supported`)
  const data = image.palette === undefined ? image.data : convertIndexedToRgb(image)
  const channels = image.palette === undefined ? image.channels : (image.palette[0]?.length ?? 3)
  const shift = image.depth === 16 ? 8 : 0
  const grey = channels < 3
  const hasAlpha = channels === 2 || channels === 4
  const out = new Uint8Array(count * 4)
  for (let pixel = 0; pixel < count; pixel++) {
    const from = pixel * channels
    const alpha = hasAlpha ? (data[from + channels - 1] ?? 0) >> shift : 255
    for (let channel = 0; channel < 3; channel++) {
      const value = (data[from + (grey ? 0 : channel)] ?? 0) >> shift
      out[pixel * 4 + channel] = alpha === 255 ? value : Math.round((value * alpha) / 255 + 255 - alpha)
    }
    out[pixel * 4 + 3] = 255
  }
  return out
}
