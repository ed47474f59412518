/** How right each local tool is by itself, against the scene that its picture was drawn from. */
import { createHash } from 'node:crypto'
import { kinds as spatialKinds } from '#services/gym/families/spatial/index.ts'
import { renderedPng } from '#services/gym/picture/render.ts'
import type { Solid } from '#services/gym/families/spatial/scene.ts'
import type { Style } from '#services/gym/items/item.ts'
import type { Tools } from '#services/gym/tools/tools.ts'
import { textScene } from '#tests/support/text-scene.ts'

type Share = { readonly right: number; readonly of: number }
export type ToolAccuracy = { readonly tool: string; readonly what: string; readonly by: Readonly<Record<Style, Share>> }

type Box = readonly number[]
type Counted = Map<string, { tool: string; right: number; of: number }>

/** `pictures` of each kind and style. */
export async function toolAccuracies(tools: Tools, pictures: number): Promise<ToolAccuracy[]> {
  const [ordinary, unseen] = [await ofStyle(tools, 'ordinary', pictures), await ofStyle(tools, 'unseen', pictures)]
  return [...ordinary].map(([what, { tool, right, of }]) => {
    const other = unseen.get(what) ?? { right: 0, of: 0 }
    return { tool, what, by: { ordinary: { right, of }, unseen: { right: other.right, of: other.of } } }
  })
}

async function ofStyle(tools: Tools, style: Style, pictures: number): Promise<Counted> {
  const counted: Counted = new Map()
  const count = (tool: string, what: string, isRight: boolean): void => {
    const entry = counted.get(what) ?? { tool, right: 0, of: 0 }
    entry.of++
    if (isRight) entry.right++
    counted.set(what, entry)
  }
  for (let seed = 0; seed < pictures; seed++) {
    await ofText(tools, style, seed, count)
    await ofSolids(tools, style, seed, count)
  }
  return counted
}

type Count = (tool: string, what: string, isRight: boolean) => void

async function called(tools: Tools, svg: string, written: unknown): Promise<Readonly<Record<string, unknown>>> {
  const { bytes } = renderedPng(svg)
  const image_id = createHash('sha256').update(bytes).digest('hex')
  const result = await tools.call(written, { images: new Map([[image_id, bytes]]), question: '', choices: [] })
  return result.output_json ?? {}
}

async function ofText(tools: Tools, style: Style, seed: number, count: Count): Promise<void> {
  const { svg, truth } = textScene(1000 + seed, style)
  const output = await called(tools, svg, { tool: 'easyocr', task: 'detect_and_recognize' })
  const read = (output['regions'] ?? []) as readonly { text: string; box: Box }[]
  for (const { text, box } of truth) {
    const there = read.filter((region) => overlap(region.box, box) > 0)
    const isNumber = /^[-$]?[\d.,]+%?$/.test(text)
    count(
      'easyocr',
      isNumber ? 'numbers of 11 to 18 pixels read to the letter' : 'words of 11 to 18 pixels read to the letter',
      there.map((region) => region.text).join(' ') === text,
    )
  }
}

async function ofSolids(tools: Tools, style: Style, index: number, count: Count): Promise<void> {
  const [kind] = spatialKinds
  if (kind === undefined) return
  const { svg, scene } = kind.make({ seed: 1000, split: 'test', index, level: index % kind.levels.length, style })
  const things = scene['things'] as readonly Solid[]
  const found = await called(tools, svg, { tool: 'grounding_dino', task: 'detect', arguments: { caption: 'object' } })
  const boxes = (found['boxes'] ?? []) as readonly Box[]
  const masks = (await called(tools, svg, { tool: 'sam', task: 'everything_segment' }))['results'] as readonly {
    box: Box
  }[]
  for (const thing of things) {
    count(
      'grounding_dino',
      'solids found (overlap of boxes over 0.7)',
      boxes.some((box) => overlap(box, thing.box) > 0.7),
    )
    count(
      'sam',
      'solids cut out (overlap of boxes over 0.7)',
      masks.some(({ box }) => overlap(box, thing.box) > 0.7),
    )
    const caption = `${thing.size} ${thing.colour} ${thing.material} ${thing.shape}`
    const like = await called(tools, svg, { tool: 'grounding_dino', task: 'detect', arguments: { caption } })
    const named = ((like['boxes'] ?? []) as readonly Box[]).some((box) => overlap(box, thing.box) > 0.7)
    count('grounding_dino', 'solids found by size, colour, material and shape', named)
  }
  count(
    'grounding_dino',
    'pictures in which nothing is found that is not there',
    boxes.every((box) => things.some((thing) => overlap(box, thing.box) > 0.5)),
  )
}

/** The share of two boxes that both hold. */
function overlap(a: Box, b: Box): number {
  const [al = 0, at = 0, ar = 0, ab = 0] = a
  const [bl = 0, bt = 0, br = 0, bb = 0] = b
  const both = Math.max(0, Math.min(ar, br) - Math.max(al, bl)) * Math.max(0, Math.min(ab, bb) - Math.max(at, bt))
  return both / ((ar - al) * (ab - at) + (br - bl) * (bb - bt) - both)
}
