import { maskAreas } from '#services/gym/tools/local/flat-areas.ts'
import type { Ink } from './ink.ts'
import type { Box } from '#services/gym/items/item.ts'

/** Something closed: its inside, and whether it is nearer to a rectangle or to a circle. */
export type ClosedShape = { readonly inside: Box; readonly kind: 'rectangle' | 'circle' }

export type BoxSize = { readonly sideMin: number; readonly widthMax: number; readonly heightMax: number }

/** Rectangles and circles that ink closes, by the ground inside them; what is written inside does not matter. */
export function closedShapes(ink: Ink, size: BoxSize): ClosedShape[] {
  const { width, height, mask } = ink
  const open = mask.map((value) => 1 - value)
  // The ground touches by sides only: a slanted line of one pixel must not leak.
  const { areas, label } = maskAreas(thickened(open, width), width, height)
  return areas.flatMap(({ left, top, right, bottom }, area): ClosedShape[] => {
    const [wide, high] = [right - left, bottom - top]
    if (left === 0 || top === 0 || right === width || bottom === height) return []
    if (Math.min(wide, high) < size.sideMin || wide > size.widthMax || high > size.heightMax) return []
    const owned = (x: number, y: number): boolean => label[Math.round(y) * width + Math.round(x)] === area
    const sides = sideShare(owned, [left, top, right, bottom])
    const inside: Box = [left, top, right, bottom]
    if (sides >= 0.8) return [{ inside, kind: 'rectangle' }]
    return isRound(owned, inside) ? [{ inside, kind: 'circle' }] : []
  })
}

/** The ground without pixels that touch other ground over a corner of ink below them: no leak there. */
function thickened(open: Uint8Array, width: number): Uint8Array {
  return open.map((value, pixel) => {
    const beside = open[pixel + 1] !== 1 || open[pixel - 1] !== 1
    return value === 1 && beside && open[pixel + width] !== 1 ? 0 : value
  })
}

/** How much of the four sides, two pixels in and without the corners, belongs to the area. */
function sideShare(owned: (x: number, y: number) => boolean, [left, top, right, bottom]: Box): number {
  let [hits, all] = [0, 0]
  for (let step = 0; step <= 20; step++) {
    const share = 0.12 + (0.76 * step) / 20
    const [x, y] = [left + share * (right - left - 1), top + share * (bottom - top - 1)]
    for (const [column, row] of [
      [x, top + 1],
      [x, bottom - 2],
      [left + 1, y],
      [right - 2, y],
    ] as const) {
      all++
      if (owned(column, row)) hits++
    }
  }
  return hits / all
}

function isRound(owned: (x: number, y: number) => boolean, [left, top, right, bottom]: Box): boolean {
  const [wide, high] = [right - left, bottom - top]
  if (wide / high > 1.25 || high / wide > 1.25) return false
  let hits = 0
  for (let step = 0; step < 24; step++) {
    const turn = (step * Math.PI) / 12
    const [dx, dy] = [Math.cos(turn), Math.sin(turn)]
    const [x, y] = [(left + right - 1) / 2, (top + bottom - 1) / 2]
    if (
      owned(x + dx * (wide / 2 - 2.5), y + dy * (high / 2 - 2.5)) &&
      !owned(x + dx * (wide / 2 + 2), y + dy * (high / 2 + 2))
    )
      hits++
  }
  return hits >= 20
}
