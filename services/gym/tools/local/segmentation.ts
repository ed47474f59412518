import { pictureOf } from './request-picture.ts'
import { thingsIn, type Thing } from './things.ts'
import type { LocalTool, Pixels } from '#services/gym/tools/tool.ts'

const masksMax = 60

/** Cuts things out of the ground: those at points, the one that fills a box most, or all. */
export const segmentation: LocalTool = (request) => {
  const pixels = pictureOf(request)
  const things = thingsIn(pixels)
  return Promise.resolve(said(pixels, chosen(request.task, request.arguments, things)))
}

function chosen(task: string, values: Readonly<Record<string, unknown>>, things: readonly Thing[]): readonly Thing[] {
  if (task === 'point_segment') {
    const labels = (values['labels'] ?? []) as readonly number[]
    const points = (values['points'] as readonly (readonly [number, number])[]).map((point, place) => ({
      point,
      isIn: labels[place] !== 0,
    }))
    const at = (isIn: boolean) => points.filter((each) => each.isIn === isIn)
    return things.filter(
      (thing) =>
        at(true).some(({ point }) => holds(thing, ...point)) && !at(false).some(({ point }) => holds(thing, ...point)),
    )
  }
  if (task === 'box_segment') {
    const [left = 0, top = 0, right = 0, bottom = 0] = values['box'] as readonly number[]
    const share = ({ box }: Thing): number => {
      const wide = Math.min(right, box[2]) - Math.max(left, box[0])
      const high = Math.min(bottom, box[3]) - Math.max(top, box[1])
      const both = Math.max(0, wide) * Math.max(0, high)
      return both / ((box[2] - box[0]) * (box[3] - box[1]) + (right - left) * (bottom - top) - both)
    }
    const [best] = things.toSorted((a, b) => share(b) - share(a))
    return best !== undefined && share(best) > 0 ? [best] : []
  }
  return things.slice(0, masksMax)
}

function holds({ box: [left, top, right, bottom], mask }: Thing, atX: number, atY: number): boolean {
  const [x, y] = [Math.floor(atX), Math.floor(atY)]
  return x >= left && x < right && y >= top && y < bottom && mask[(y - top) * (right - left) + x - left] === 1
}

function said({ width, height }: Pixels, things: readonly Thing[]) {
  const percent = (area: number): number => Math.round((area / (width * height)) * 10_000) / 100
  const results = things.map(({ box, mask, area, colour }) => ({
    box: [...box],
    area,
    coverage_percent: percent(area),
    centre: centre(box, mask, area),
    colour,
    rle: runs(mask),
  }))
  const coverage_percent = Math.min(100, percent(things.reduce((sum, { area }) => sum + area, 0)))
  const lines = results.map(
    ({ box, colour, coverage_percent: each }, place) =>
      `${place + 1}. ${colour}, box [${box.join(', ')}], ${each} % of the picture`,
  )
  const text =
    things.length === 0
      ? 'Nothing stands out there.'
      : `${things.length} masks, ${coverage_percent} % of the picture:\n${lines.join('\n')}`
  return { text, output: { num_masks: things.length, results, coverage_percent, size: [height, width] } }
}

function centre([left, top, right]: Thing['box'], mask: Uint8Array, area: number): number[] {
  let [x, y] = [0, 0]
  for (let at = 0; at < mask.length; at++) {
    if (mask[at] !== 1) continue
    x += at % (right - left)
    y += Math.floor(at / (right - left))
  }
  return [Math.round((left + x / area) * 10) / 10, Math.round((top + y / area) * 10) / 10]
}

/** Lengths of runs of outside and inside in turn, outside first. */
function runs(mask: Uint8Array): number[] {
  const lengths: number[] = []
  let [value, length] = [0, 0]
  for (const each of mask) {
    if (each === value) length++
    else {
      lengths.push(length)
      ;[value, length] = [each, 1]
    }
  }
  lengths.push(length)
  return lengths
}
