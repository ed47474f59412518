/** How right things are found by words and cut out. */
import { kinds as everyday } from '#services/gym/families/others/index.ts'
import { kinds as papers } from '#services/gym/families/document/index.ts'
import { kinds as spatial } from '#services/gym/families/spatial/index.ts'
import { printedTexts } from './printed-texts.ts'
import { called, isAmong, items, listOf, overlap, type Bench } from './tally.ts'
import type { Box, Family } from '#services/gym/items/item.ts'
import type { Picture } from '#services/gym/picture/render.ts'
import type { Solid } from '#services/gym/families/spatial/scene.ts'

type Thing = { readonly box: Box; readonly caption: string }
type Flat = {
  readonly colour: string
  readonly shape: string
  readonly x: number
  readonly y: number
  readonly size: number
}

/** Solids of the spatial family, flat things that are counted, and labels of papers. */
export async function measureThings(bench: Bench): Promise<void> {
  for (const { scene, picture } of items(spatial, bench, bench.pictures)) {
    const solids = scene.scene['things'] as readonly Solid[]
    const things = solids.map(({ box, size, colour, material, shape }): Thing => ({
      box,
      caption: `${size} ${colour} ${material} ${shape}`,
    }))
    await measured(bench, 'spatial', picture, things)
  }
  const counting = everyday.filter(({ kind }) => kind === 'others/counting')
  for (const { scene, picture } of items(counting, bench, bench.pictures)) {
    const flat = scene.scene['things'] as readonly Flat[]
    await measured(
      bench,
      'others',
      picture,
      flat.map((each): Thing => ({ box: boxOf(each), caption: `${each.colour} ${each.shape}` })),
    )
  }
  for (const { scene, picture } of items(papers, bench, bench.pictures)) {
    for (const { text, box } of printedTexts(scene.svg).filter((each) => /^[A-Z][a-z]+ [a-z]+$/.test(each.text))) {
      const { output } = await called(bench, picture, { tool: 'grounding_dino', arguments: { caption: `"${text}"` } })
      const what = 'labels found by their words (IoU >= 0.5)'
      bench.count({ tool: 'grounding_dino', family: 'document', what }, isAmong(box, listOf<Box>(output, 'boxes')))
    }
  }
}

function boxOf({ shape, x, y, size }: Flat): Box {
  const half = shape === 'square' ? size * 0.9 : size
  return shape === 'triangle'
    ? [x - size * 1.05, y - size * 1.1, x + size * 1.05, y + size * 0.8]
    : [x - half, y - half, x + half, y + half]
}

async function measured(bench: Bench, family: Family, picture: Picture, things: readonly Thing[]): Promise<void> {
  const count = (tool: string, what: string, isRight: boolean): void => bench.count({ tool, family, what }, isRight)
  const all = await called(bench, picture, { tool: 'grounding_dino', arguments: { caption: 'object' } })
  const boxes = listOf<Box>(all.output, 'boxes')
  for (const caption of new Set(things.map((thing) => thing.caption))) {
    const like = things.filter((thing) => thing.caption === caption)
    const { output } = await called(bench, picture, { tool: 'grounding_dino', arguments: { caption } })
    const found = listOf<Box>(output, 'boxes')
    for (const thing of like)
      count('grounding_dino', 'things found by all of their words (IoU >= 0.5)', isAmong(thing.box, found))
    for (const box of found) {
      const isOne = like.some((thing) => overlap(thing.box, box) >= 0.5)
      count('grounding_dino', 'things found by all of their words that are what they are called', isOne)
    }
  }
  for (const { box } of things) count('grounding_dino', 'things found as "object" (IoU >= 0.5)', isAmong(box, boxes))
  await cutOut(bench, family, picture, things)
}

async function cutOut(bench: Bench, family: Family, picture: Picture, things: readonly Thing[]): Promise<void> {
  const boxesOf = async (task: string, values: Record<string, unknown>): Promise<readonly Box[]> => {
    const { output } = await called(bench, picture, { tool: 'sam', task, arguments: values })
    return listOf<{ box: Box }>(output, 'results').map(({ box }) => box)
  }
  const row = (what: string) => ({ tool: 'sam', family, what: `${what} (IoU >= 0.5)` }) as const
  const all = await boxesOf('everything_segment', {})
  for (const [place, { box }] of things.entries()) {
    bench.count(row('things cut out with everything'), isAmong(box, all))
    if (place > 3) continue
    const [left, top, right, bottom] = box
    const point = await boxesOf('point_segment', { points: [[(left + right) / 2, (top + bottom) / 2]] })
    bench.count(row('things cut out at a point'), point.length === 1 && isAmong(box, point))
    const wide = [Math.max(0, left - 6), Math.max(0, top - 6), right + 6, bottom + 6]
    const inBox = await boxesOf('box_segment', { box: wide })
    bench.count(row('things cut out in a box 6 pixels wider'), inBox.length === 1 && isAmong(box, inBox))
  }
}
