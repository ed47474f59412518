import type { Ink, TextLine } from './text-lines.ts'
import type { Pixels } from '#services/gym/tools/tool.ts'

/** A grey picture, one byte a pixel, as a PGM file: what the reader takes without decoding. */
export type GreyFile = Buffer

type Colour = readonly [red: number, green: number, blue: number]
type Grey = { readonly width: number; readonly height: number; readonly data: Uint8Array }

const lettersHeight = 30
const margin = 10

/**
 * A line of text cut out, turned level, made dark on white whatever its colours were, and brought to one size. `spread`
 * moves its strokes apart by so many pixels, so that 11 is not taken for M.
 */
export function lineCrop(pixels: Pixels, ink: Ink, line: TextLine, spread = 0): GreyFile {
  const grey = turned(darkOnWhite(pixels, ink, line, spread), line.turned)
  const scale = Math.min(4, Math.max(1, lettersHeight / grey.height))
  return pgm(enlarged(grey, scale))
}

/** Only the strokes of the line, each pixel by how far it is from the ground's colour towards that of the letters. */
function darkOnWhite(pixels: Pixels, ink: Ink, line: TextLine, spread: number): Grey {
  const [left, top, right, bottom] = line.box
  const shifts = shiftsOf(ink, line, spread)
  const [width, height] = [right - left + Math.max(0, ...shifts.values()), bottom - top]
  const own = new Set(line.strokes)
  const { ground, letters } = colours(pixels, ink, line, own)
  const along: Colour = [letters[0] - ground[0], letters[1] - ground[1], letters[2] - ground[2]]
  const length = along[0] ** 2 + along[1] ** 2 + along[2] ** 2 || 1
  const data = new Uint8Array(width * height).fill(255)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < right - left; x++) {
      const pixel = (top + y) * pixels.width + left + x
      const shift = shifts.get(ink.label[pixel] ?? -1)
      if (shift === undefined) continue
      const [red, green, blue] = colourAt(pixels, pixel)
      const dot = (red - ground[0]) * along[0] + (green - ground[1]) * along[1] + (blue - ground[2]) * along[2]
      data[y * width + x + shift] = 255 - Math.round(255 * Math.min(1, Math.max(0, dot / length)))
    }
  }
  return { width, height, data }
}

/** By how much each stroke is moved to the right: those that stand over one another stay together. */
function shiftsOf(ink: Ink, { strokes }: TextLine, spread: number): ReadonlyMap<number, number> {
  const shifts = new Map<number, number>()
  let [shift, reached] = [-spread, -1]
  for (const stroke of strokes.toSorted((a, b) => (ink.areas[a]?.left ?? 0) - (ink.areas[b]?.left ?? 0))) {
    const { left = 0, right = 0 } = ink.areas[stroke] ?? {}
    if (left >= reached) shift += spread
    reached = Math.max(reached, right)
    shifts.set(stroke, shift)
  }
  return shifts
}

/** The commonest colour beside the strokes, and the stroke colour that is farthest from it. */
function colours(
  pixels: Pixels,
  ink: Ink,
  { box: [left, top, right, bottom] }: TextLine,
  own: ReadonlySet<number>,
): { ground: Colour; letters: Colour } {
  const counts = new Map<number, number>()
  const strokes: Colour[] = []
  for (let y = Math.max(0, top - 1); y < Math.min(pixels.height, bottom + 1); y++) {
    for (let x = Math.max(0, left - 1); x < Math.min(pixels.width, right + 1); x++) {
      const pixel = y * pixels.width + x
      const [red, green, blue] = colourAt(pixels, pixel)
      if (own.has(ink.label[pixel] ?? -1)) strokes.push([red, green, blue])
      else {
        const packed = (red << 16) | (green << 8) | blue
        counts.set(packed, (counts.get(packed) ?? 0) + 1)
      }
    }
  }
  let [best, most] = [0xffffff, 0]
  for (const [packed, count] of counts) if (count > most) [best, most] = [packed, count]
  const ground: Colour = [best >> 16, (best >> 8) & 255, best & 255]
  const far = strokes
    .map((colour) => ({ colour, far: colour.reduce((sum, value, at) => sum + (value - (ground[at] ?? 0)) ** 2, 0) }))
    .toSorted((a, b) => b.far - a.far)
  // Not the very farthest: a speck of another colour may lie on the line.
  return { ground, letters: far[Math.floor(far.length * 0.05)]?.colour ?? [0, 0, 0] }
}

function colourAt({ data }: Pixels, pixel: number): Colour {
  return [data[pixel * 4] ?? 0, data[pixel * 4 + 1] ?? 0, data[pixel * 4 + 2] ?? 0]
}

function turned(grey: Grey, degrees: 0 | 90 | -90): Grey {
  if (degrees === 0) return grey
  const [width, height] = [grey.height, grey.width]
  const data = new Uint8Array(width * height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [fromX, fromY] = degrees === -90 ? [y, grey.height - 1 - x] : [grey.width - 1 - y, x]
      data[y * width + x] = grey.data[fromY * grey.width + fromX] ?? 255
    }
  }
  return { width, height, data }
}

/** Enlarged between the pixels (bilinear), with a white margin. */
function enlarged(grey: Grey, scale: number): Grey {
  const [inner, innerHeight] = [Math.round(grey.width * scale), Math.round(grey.height * scale)]
  const [width, height] = [inner + 2 * margin, innerHeight + 2 * margin]
  const data = new Uint8Array(width * height).fill(255)
  const at = (x: number, y: number): number =>
    x < 0 || y < 0 || x >= grey.width || y >= grey.height ? 255 : (grey.data[y * grey.width + x] ?? 255)
  for (let y = 0; y < innerHeight; y++) {
    const fromY = (y + 0.5) / scale - 0.5
    const [y0, dy] = [Math.floor(fromY), fromY - Math.floor(fromY)]
    for (let x = 0; x < inner; x++) {
      const fromX = (x + 0.5) / scale - 0.5
      const [x0, dx] = [Math.floor(fromX), fromX - Math.floor(fromX)]
      const upper = at(x0, y0) * (1 - dx) + at(x0 + 1, y0) * dx
      const lower = at(x0, y0 + 1) * (1 - dx) + at(x0 + 1, y0 + 1) * dx
      data[(y + margin) * width + x + margin] = Math.round(upper * (1 - dy) + lower * dy)
    }
  }
  return { width, height, data }
}

function pgm({ width, height, data }: Grey): GreyFile {
  return Buffer.concat([Buffer.from(`P5\n${width} ${height}\n255\n`, 'latin1'), data])
}
