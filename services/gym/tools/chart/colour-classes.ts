import type { Pixels } from '#services/gym/tools/tool.ts'

/** Red, green and blue, 0 to 255. */
export type Colour = readonly [red: number, green: number, blue: number]

/** The colours that marks are painted in, and which of them each pixel has; -1 for none. */
export type ColourClasses = {
  readonly ground: Colour
  readonly colours: readonly Colour[]
  readonly of: Int8Array
  /** 1 for what is neither of a mark nor of the ground, but grey: text, outlines, axes. */
  readonly greys: Uint8Array
  readonly width: number
  readonly height: number
}

/** Less than this between its strongest and weakest channel is grey: text, axes and paper. */
const chromaMin = 45
/** Pixels of one colour whose four neighbours have it too; a mark or its swatch has more, a seam has none. */
const solidMin = 12
const classesMax = 24

/** Finds the flat colours of a picture that are not grey, by how often they fill more than a seam. */
export function colourClasses({ width, height, data }: Pixels): ColourClasses {
  const packed = new Uint32Array(width * height)
  for (let pixel = 0; pixel < packed.length; pixel++) {
    const at = pixel * 4
    packed[pixel] = ((data[at] ?? 0) << 16) | ((data[at + 1] ?? 0) << 8) | (data[at + 2] ?? 0)
  }
  const ground = groundOf(packed)
  const solid = solidColours(packed, width, height)
  const colours: Colour[] = []
  for (const [colour, count] of solid) {
    if (count < solidMin || colours.length >= classesMax) break
    if (distance(colour, ground) < 60 || colours.some((known) => distance(known, colour) < 34)) continue
    colours.push(colour)
  }
  const of = new Int8Array(packed.length).fill(-1)
  const greys = new Uint8Array(packed.length)
  const known = new Map<number, number>()
  for (let pixel = 0; pixel < packed.length; pixel++) {
    const value = packed[pixel] ?? 0
    let found = known.get(value)
    if (found === undefined) {
      found = nearestClass(unpacked(value), colours, ground)
      known.set(value, found)
    }
    of[pixel] = found
    if (found === -2) [of[pixel], greys[pixel]] = [-1, 1]
  }
  return { ground, colours, of: withoutRims(of, width, height), greys, width, height }
}

/**
 * The picture with its marks painted over, two pixels beyond their rims: what is left is text and lines. The paint is
 * what the ground beside has, since one colour everywhere would leave edges on a ground that is not even.
 */
export function withoutMarks({ width, height, data }: Pixels, { of, ground, greys }: ColourClasses): Pixels {
  const covered = new Uint8Array(of.length)
  for (let pixel = 0; pixel < of.length; pixel++) {
    if (of[pixel] === -1) continue
    for (const near of [0, -1, 1, -2, 2, -width, width, 1 - width, 1 + width, -1 - width, width - 1])
      covered[pixel + near] = 1
  }
  const painted = new Uint8Array(data)
  for (let pixel = 0; pixel < of.length; pixel++) {
    if (covered[pixel] !== 1) continue
    const at = pixel * 4
    const useGround = pixel % width === 0 || greys[pixel - 1] === 1
    for (const channel of [0, 1, 2] as const) {
      painted[at + channel] = useGround ? ground[channel] : (painted[at - 4 + channel] ?? 0)
    }
  }
  return { width, height, data: painted }
}

export function distance(a: Colour, b: Colour): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])
}

export function chroma([red, green, blue]: Colour): number {
  return Math.max(red, green, blue) - Math.min(red, green, blue)
}

/** A pixel at the rim of a mark counts where it is nearer to the mark's colour than to the ground. -2 is grey ink. */
function nearestClass(colour: Colour, colours: readonly Colour[], ground: Colour): number {
  if (chroma(colour) < chromaMin * 0.6) return distance(colour, ground) > 90 ? -2 : -1
  let [best, least] = [-1, Math.min(90, distance(colour, ground))]
  for (const [place, known] of colours.entries()) {
    const away = distance(known, colour)
    if (away < least) [best, least] = [place, away]
  }
  return best
}

/** Keeps what is at least two pixels thick: where two colours blend, the seam may look like a third. */
function withoutRims(of: Int8Array, width: number, height: number): Int8Array {
  const kept = new Int8Array(of.length).fill(-1)
  for (let y = 0; y + 1 < height; y++) {
    for (let x = 0; x + 1 < width; x++) {
      const pixel = y * width + x
      const colour = of[pixel] ?? -1
      if (colour < 0 || of[pixel + 1] !== colour || of[pixel + width] !== colour || of[pixel + width + 1] !== colour)
        continue
      kept[pixel] = kept[pixel + 1] = kept[pixel + width] = kept[pixel + width + 1] = colour
    }
  }
  return kept
}

function groundOf(packed: Uint32Array): Colour {
  const counts = new Map<number, number>()
  for (const value of packed) counts.set(value & 0xfcfcfc, (counts.get(value & 0xfcfcfc) ?? 0) + 1)
  const most = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), [0xfcfcfc, 0])
  return unpacked(most[0] | 0x020202)
}

/** Colours that are not grey by how many pixels have them on all four sides too, most first. */
function solidColours(packed: Uint32Array, width: number, height: number): [Colour, number][] {
  const counts = new Map<number, number>()
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const pixel = y * width + x
      const value = packed[pixel]
      if (value === undefined || value !== packed[pixel - 1] || value !== packed[pixel + 1]) continue
      if (value !== packed[pixel - width] || value !== packed[pixel + width]) continue
      counts.set(value, (counts.get(value) ?? 0) + 1)
    }
  }
  return [...counts]
    .map(([value, count]): [Colour, number] => [unpacked(value), count])
    .filter(([colour]) => chroma(colour) >= chromaMin)
    .toSorted((a, b) => b[1] - a[1])
}

function unpacked(value: number): Colour {
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255]
}
