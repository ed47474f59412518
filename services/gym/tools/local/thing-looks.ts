import type { Box } from '#services/gym/items/item.ts'
import type { Pixels } from '#services/gym/tools/tool.ts'

/** Outlines that are told apart. A ball's is a circle, and a box's a square with two corners cut. */
export type ShapeName = 'sphere' | 'cube' | 'cylinder' | 'square' | 'rectangle' | 'triangle' | 'diamond' | 'other'

/** The name of a thing's colour, by the hue of most of its pixels; and whether it has a bright spot. */
export function thingColour(
  pixels: Pixels,
  [left, top, right]: Box,
  mask: Uint8Array,
): { name: string; isShiny: boolean } {
  const wide = right - left
  const votes = new Map<string, number>()
  let [many, bright, light] = [0, 0, 0]
  for (let at = 0; at < mask.length; at++) {
    if (mask[at] !== 1) continue
    const pixel = ((top + Math.floor(at / wide)) * pixels.width + left + (at % wide)) * 4
    const [red, green, blue] = [pixels.data[pixel] ?? 0, pixels.data[pixel + 1] ?? 0, pixels.data[pixel + 2] ?? 0]
    const name = colourWord(red, green, blue)
    votes.set(name, (votes.get(name) ?? 0) + 1)
    many++
    light += (red + green + blue) / 3
    if (Math.min(red, green, blue) > 205) bright++
  }
  const order = [...votes].toSorted((a, b) => b[1] - a[1])
  const [first] = order.find(([name, count]) => !['gray', 'black', 'white'].includes(name) && count > 0.3 * many) ??
    order[0] ?? ['gray']
  return { name: first, isShiny: bright > 0.012 * many && light / many < 215 }
}

function colourWord(red: number, green: number, blue: number): string {
  const [low, high] = [Math.min(red, green, blue), Math.max(red, green, blue)]
  const chroma = high - low
  if (high < 40) return 'black'
  if (chroma < 24 || chroma < 0.14 * high) return high > 225 ? 'white' : high < 50 ? 'black' : 'gray'
  const turn =
    high === red
      ? ((green - blue) / chroma) % 6
      : high === green
        ? (blue - red) / chroma + 2
        : (red - green) / chroma + 4
  const hue = (turn * 60 + 360) % 360
  const saturation = chroma / high
  if (hue < 14 || hue >= 340) return saturation < 0.5 && high > 200 ? 'pink' : 'red'
  // Brown is a dark orange: a shaded orange and a brown in the light meet near two thirds of full light.
  if (hue < 42) return high < 185 ? 'brown' : 'orange'
  if (hue < 70) return 'yellow'
  if (hue < 165) return 'green'
  if (hue < 200) return 'cyan'
  if (hue < 255) return 'blue'
  return hue < 305 ? 'purple' : 'pink'
}

/** The outline of a mask of `many` pixels in its box, by how full the box is and how its corners are cut. */
export function thingShape(mask: Uint8Array, wide: number, high: number, many: number): ShapeName {
  const fill = many / (wide * high)
  const side = Math.min(wide, high)
  const cut = (fromRight: boolean, fromBottom: boolean): number => {
    for (let step = 0; step < side / 2; step++) {
      const x = fromRight ? wide - 1 - step : step
      const y = fromBottom ? high - 1 - step : step
      if (mask[y * wide + x] === 1) return step / side
    }
    return 0.5
  }
  const corners = [cut(false, false), cut(true, false), cut(false, true), cut(true, true)] as const
  const [topLeft, topRight, bottomLeft, bottomRight] = corners
  const slant = Math.abs(topLeft + bottomRight - topRight - bottomLeft) / 2
  if (fill > 0.97) return Math.max(wide, high) <= 1.15 * side ? 'square' : 'rectangle'
  if (slant > 0.045 && fill > 0.78) return 'cube'
  if (roundness(mask, wide, high) < 0.05) return 'sphere'
  if (fill < 0.6 && Math.min(...corners) > 0.18) return 'diamond'
  if (
    fill < 0.62 &&
    fill > 0.38 &&
    Math.min(topLeft + topRight, bottomLeft + bottomRight, topLeft + bottomLeft, topRight + bottomRight) < 0.1
  )
    return 'triangle'
  return fill > 0.78 ? 'cylinder' : 'other'
}

/** How much the distance from the middle to the edge varies, as a share of it: 0 is a circle. */
function roundness(mask: Uint8Array, wide: number, high: number): number {
  const [middleX, middleY] = [(wide - 1) / 2, (high - 1) / 2]
  const reach: number[] = []
  for (let step = 0; step < 48; step++) {
    const [dx, dy] = [Math.cos((step * Math.PI) / 24), Math.sin((step * Math.PI) / 24)]
    let far = 0
    for (let distance = 0; distance < Math.max(wide, high); distance += 0.5) {
      const [x, y] = [Math.round(middleX + dx * distance), Math.round(middleY + dy * distance)]
      if (x < 0 || y < 0 || x >= wide || y >= high) break
      if (mask[y * wide + x] === 1) far = distance
    }
    reach.push(far)
  }
  const mean = reach.reduce((sum, each) => sum + each, 0) / reach.length || 1
  return Math.sqrt(reach.reduce((sum, each) => sum + (each - mean) ** 2, 0) / reach.length) / mean
}
