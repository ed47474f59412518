import { closedShapes } from './boxes.ts'
import { inkOf } from './ink.ts'
import { drawnInk, strokesOf } from './strokes.ts'
import type { Ink } from './ink.ts'
import type { Spot } from './strokes.ts'
import type { Box } from '#services/gym/items/item.ts'
import type { Pixels } from '#services/gym/tools/tool.ts'

/** Boxes of a diagram, and arrows by the places of the boxes in that list. */
export type BoxesAndArrows = {
  readonly boxes: readonly Box[]
  readonly arrows: readonly { readonly from: number; readonly to: number }[]
}

const boxSize = { sideMin: 18, widthMax: 240, heightMax: 90 } as const
const arrowMin = 22
const reach = 18

/** Boxes are closed shapes; arrows are straight strokes outside them with more ink at the head than at the tail. */
export function readArrows(pixels: Pixels): BoxesAndArrows {
  const ink = inkOf(pixels)
  const boxes = closedShapes(ink, boxSize).map(({ inside: [left, top, right, bottom] }): Box => [
    left - 3,
    top - 3,
    right + 3,
    bottom + 3,
  ])
  const outside = withoutBoxes(ink, boxes)
  const { drawn, pixels: spots } = drawnInk(outside, 20)
  const arrows = strokesOf(drawn, spots, arrowMin).flatMap(({ from, to }) => {
    const [tail, head] = headWeight(drawn, from, to) > headWeight(drawn, to, from) ? [to, from] : [from, to]
    const [start, end] = [nearestBox(boxes, tail), nearestBox(boxes, head)]
    return start === null || end === null || start === end ? [] : [{ from: start, to: end }]
  })
  const distinct = new Map(arrows.map((arrow) => [`${arrow.from} ${arrow.to}`, arrow]))
  return { boxes, arrows: [...distinct.values()] }
}

/** The same ink with nothing left inside the boxes or on their rims. */
function withoutBoxes(ink: Ink, boxes: readonly Box[]): Ink {
  const mask = Uint8Array.from(ink.mask)
  const label = Int32Array.from(ink.label)
  for (const [left, top, right, bottom] of boxes) {
    for (let y = Math.max(0, top - 1); y < Math.min(ink.height, bottom + 1); y++) {
      const row = y * ink.width
      mask.fill(0, row + Math.max(0, left - 1), row + Math.min(ink.width, right + 1))
      label.fill(-1, row + Math.max(0, left - 1), row + Math.min(ink.width, right + 1))
    }
  }
  return { ...ink, mask, label }
}

/** Ink beside the line, in the last dozen pixels before its end: a head is wider than a line. */
function headWeight({ width, mask }: Ink, end: Spot, other: Spot): number {
  const far = Math.hypot(other[0] - end[0], other[1] - end[1])
  const [dx, dy] = [(other[0] - end[0]) / far, (other[1] - end[1]) / far]
  let count = 0
  for (let along = 0; along <= 12; along++) {
    for (const aside of [-4.5, -3.5, -2.5, 2.5, 3.5, 4.5]) {
      const [x, y] = [Math.round(end[0] + along * dx - aside * dy), Math.round(end[1] + along * dy + aside * dx)]
      if (mask[y * width + x] === 1) count++
    }
  }
  return count
}

function nearestBox(boxes: readonly Box[], [x, y]: Spot): number | null {
  let [best, least]: [number | null, number] = [null, reach]
  for (const [place, [left, top, right, bottom]] of boxes.entries()) {
    const far = Math.hypot(Math.max(left - x, 0, x - right), Math.max(top - y, 0, y - bottom))
    if (far < least) [best, least] = [place, far]
  }
  return best
}
