import { flatAreas, maskAreas, type Area } from './flat-areas.ts'
import { textLines } from './text-lines.ts'
import { thingColour, thingShape, type ShapeName } from './thing-looks.ts'
import type { Box } from '#services/gym/items/item.ts'
import type { Pixels } from '#services/gym/tools/tool.ts'

/** Something that stands out from the ground of a picture. */
export type Thing = {
  readonly box: Box
  /** The pixels of its box that belong to it, row by row: 1 or 0. Holes are filled. */
  readonly mask: Uint8Array
  readonly area: number
  readonly colour: string
  readonly shape: ShapeName
  /** `large` is taller than 13 % of the picture's shorter side, which lies between our two sizes at any depth. */
  readonly size: 'small' | 'large'
  /** A bright spot makes it metal. */
  readonly material: 'metal' | 'rubber'
}

const sideMin = 7
const thingsMax = 300
/** Things side by side in a line of text: letters, of which an A would pass for a triangle. Shades of one solid are one thing. */
const wordMin = 4
/** A row of things that is higher is no line of text: headings of 28 pixels are 27 high. */
const wordHigh_px = 32

/** The things in a picture, the largest first; at most 300. */
export function thingsIn(pixels: Pixels): readonly Thing[] {
  const { width, height } = pixels
  const mask = foreground(pixels)
  const found: Thing[] = []
  const { label, areas } = maskAreas(mask, width, height)
  const words = textLines(pixels).lines.filter(
    ({ box }) =>
      box[3] - box[1] <= wordHigh_px &&
      areas.filter((area) => area.count >= 4 && isInside(area, box)).length >= wordMin,
  )
  for (const [place, area] of areas.entries()) {
    const [wide, high] = [area.right - area.left, area.bottom - area.top]
    if (wide < sideMin || high < sideMin || area.count < 0.12 * wide * high) continue
    if (words.some(({ box }) => isInside(area, box))) continue
    found.push(thingOf(pixels, label, place, area))
  }
  return found.toSorted((a, b) => b.area - a.area || a.box[0] - b.box[0]).slice(0, thingsMax)
}

function isInside(area: Area, [left, top, right, bottom]: Box): boolean {
  return area.left >= left - 2 && area.top >= top - 2 && area.right <= right + 2 && area.bottom <= bottom + 2
}

/** Pixels that are not ground: not in a large area at the border, nor in one of nearly its colour. */
function foreground(pixels: Pixels): Uint8Array {
  const { width, height } = pixels
  const flat = flatAreas(pixels, 6)
  const means = meanColours(pixels, flat.label, flat.areas.length)
  const touches = (area: Area): boolean =>
    area.left === 0 || area.top === 0 || area.right === width || area.bottom === height
  const grounds = flat.areas.flatMap((area, place) =>
    touches(area) && area.count >= 0.03 * width * height ? [{ place, count: area.count }] : [],
  )
  const main = grounds.toSorted((a, b) => b.count - a.count)[0]
  const ground = means[main?.place ?? 0] ?? [255, 255, 255]
  const isGround = flat.areas.map((area, place) => {
    if (grounds.some((each) => each.place === place)) return true
    const mean = means[place] ?? ground
    return isShade(mean, ground) && !(touches(area) && area.count < 20)
  })
  return Uint8Array.from(flat.label, (place) => (isGround[place] === true ? 0 : 1))
}

type Rgb = readonly [number, number, number]

/** Whether a colour is the ground's, a little lighter, or in a shadow. */
function isShade(colour: Rgb, ground: Rgb): boolean {
  const light = (colour[0] + colour[1] + colour[2]) / (ground[0] + ground[1] + ground[2] + 1)
  if (light < 0.72 || light > 1.15) return false
  const tint = (at: 0 | 1 | 2): number => Math.abs(colour[at] - ground[at] * light)
  return Math.max(tint(0), tint(1), tint(2)) < 16
}

function meanColours({ data }: Pixels, label: Int32Array, count: number): Rgb[] {
  const sums = new Float64Array(count * 4)
  for (let pixel = 0; pixel < label.length; pixel++) {
    const at = (label[pixel] ?? 0) * 4
    for (let channel = 0; channel < 3; channel++)
      sums[at + channel] = (sums[at + channel] ?? 0) + (data[pixel * 4 + channel] ?? 0)
    sums[at + 3] = (sums[at + 3] ?? 0) + 1
  }
  return Array.from({ length: count }, (_, place): Rgb => {
    const many = sums[place * 4 + 3] ?? 1
    return [(sums[place * 4] ?? 0) / many, (sums[place * 4 + 1] ?? 0) / many, (sums[place * 4 + 2] ?? 0) / many]
  })
}

function thingOf(pixels: Pixels, label: Int32Array, place: number, area: Area): Thing {
  const { left, top, right, bottom } = area
  const [wide, high] = [right - left, bottom - top]
  const own = new Uint8Array(wide * high)
  for (let y = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) own[y * wide + x] = label[(top + y) * pixels.width + left + x] === place ? 1 : 0
  }
  const mask = filled(own, wide, high)
  let many = 0
  for (const inside of mask) many += inside
  const box: Box = [left, top, right, bottom]
  const { name, isShiny } = thingColour(pixels, box, mask)
  const isLarge = Math.max(wide, high) > 0.13 * Math.min(pixels.width, pixels.height)
  return {
    box,
    mask,
    area: many,
    colour: name,
    shape: thingShape(mask, wide, high, many),
    size: isLarge ? 'large' : 'small',
    material: isShiny ? 'metal' : 'rubber',
  }
}

/** The mask with its holes: whatever cannot be reached from outside. */
function filled(mask: Uint8Array, wide: number, high: number): Uint8Array {
  const outside = new Uint8Array(wide * high)
  const open: number[] = []
  const visit = (pixel: number): void => {
    if (mask[pixel] === 1 || outside[pixel] === 1) return
    outside[pixel] = 1
    open.push(pixel)
  }
  for (let x = 0; x < wide; x++) {
    visit(x)
    visit((high - 1) * wide + x)
  }
  for (let y = 0; y < high; y++) {
    visit(y * wide)
    visit(y * wide + wide - 1)
  }
  for (let pixel = open.pop(); pixel !== undefined; pixel = open.pop()) {
    const x = pixel % wide
    if (x > 0) visit(pixel - 1)
    if (x + 1 < wide) visit(pixel + 1)
    if (pixel >= wide) visit(pixel - wide)
    if (pixel + wide < wide * high) visit(pixel + wide)
  }
  return outside.map((reached) => 1 - reached)
}
