/** How right text is read, found, cut out and enlarged. */
import { kinds } from '#services/gym/items/families.ts'
import { decodedPng } from '#services/gym/picture/decode.ts'
import { renderedPng } from '#services/gym/picture/render.ts'
import { textScene } from '#tests/support/text-scene.ts'
import { printedTexts, type PrintedText } from './printed-texts.ts'
import { called, isAmong, items, listOf, type Bench, type Made } from './tally.ts'
import type { Box, Family } from '#services/gym/items/item.ts'

type Region = { readonly text: string; readonly box: Box }

/** All families whose pictures bear words, and pages of words and figures of every size and colour. */
export async function measureText(bench: Bench): Promise<void> {
  for (let page = 0; page < bench.pictures; page++) await mixedPage(bench, page)
  const families: readonly Family[] = ['chart', 'geometry', 'geospatial', 'scientific', 'document', 'others']
  for (const family of families) {
    const own = kinds.filter((kind) => kind.family === family)
    for (const made of items(own, bench, bench.pictures)) await printedWords(bench, family, made)
  }
  await tables(bench)
  await parts(bench)
}

async function mixedPage(bench: Bench, page: number): Promise<void> {
  const { svg, truth } = textScene(bench.seed * 1000 + page, bench.style)
  const { output } = await called(bench, renderedPng(svg), { tool: 'easyocr' })
  const read = listOf<Region>(output, 'regions')
  for (const each of truth) {
    const what = /^[-$]?[\d.,]+%?$/.test(each.text) ? 'figures' : 'words'
    const row = { tool: 'easyocr', family: 'all', what: `${what} of 11 to 18 pixels read to the letter` } as const
    bench.count(row, isRead(each, read))
  }
}

async function printedWords(bench: Bench, family: Family, { scene, picture }: Made): Promise<void> {
  const { output } = await called(bench, picture, { tool: 'easyocr' })
  const found = await called(bench, picture, { tool: 'easyocr', task: 'detect_only' })
  const [read, boxes] = [listOf<Region>(output, 'regions'), listOf<Box>(found.output, 'boxes')]
  for (const each of printedTexts(scene.svg)) {
    bench.count({ tool: 'easyocr', family, what: 'printed texts read to the letter' }, isRead(each, read))
    const isFound = isAmong(each.box, boxes) || boxes.some((box) => holds(box, each.box))
    bench.count({ tool: 'easyocr', family, what: 'printed texts found (detect_only)' }, isFound)
  }
}

/** What stands in the place of a text, put together from left to right, is that text. */
function isRead({ text, box }: PrintedText, read: readonly Region[]): boolean {
  const there = read.filter((region) => holds(grown(box, 4), region.box) || holds(region.box, box))
  const words = there.toSorted((a, b) => a.box[0] - b.box[0]).map((region) => region.text)
  return words.join(' ').replaceAll(/\s+/g, ' ').trim() === text
}

/** Whether the middle of a box lies in another. */
function holds([left, top, right, bottom]: Box, inner: Box): boolean {
  const [x, y] = [(inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2]
  return x >= left && x < right && y >= top && y < bottom
}

function grown([left, top, right, bottom]: Box, by: number): Box {
  return [Math.max(0, left - by), Math.max(0, top - by), right + by, bottom + by]
}

async function tables(bench: Bench): Promise<void> {
  const own = kinds.filter(({ kind }) => kind === 'others/timetable')
  for (const { scene, picture } of items(own, bench, bench.pictures)) {
    const { output } = await called(bench, picture, { tool: 'easyocr', task: 'extract_table' })
    const rows = listOf<readonly string[]>(output, 'rows')
    const [stops, times] = [scene.scene['stops'] as readonly string[], scene.scene['times'] as readonly number[][]]
    for (const [stop, name] of stops.entries()) {
      const row = rows.find(([first]) => first === name)
      for (const [trip, minutes] of (times[stop] ?? []).entries()) {
        const clock = `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
        const what = 'cells of timetables in their row and column (extract_table)'
        bench.count({ tool: 'easyocr', family: 'others', what }, row?.[trip + 1] === clock)
      }
    }
  }
}

/** Values of papers, read in a box alone, and read in an enlarged part. */
async function parts(bench: Bench): Promise<void> {
  const own = kinds.filter(({ family }) => family === 'document')
  for (const { scene, picture } of items(own, bench, bench.pictures)) {
    const { width, height } = decodedPng(picture.bytes)
    for (const { box, value } of scene.evidence.slice(0, 2)) {
      const shown = printedTexts(scene.svg).find((each) => isAmong(box, [each.box]) && each.text === String(value))
      if (shown === undefined) continue
      const [left, top, right, bottom] = grown(box, 8)
      const region = [left, top, Math.min(width, right), Math.min(height, bottom)] as const
      const inBox = await called(bench, picture, {
        tool: 'easyocr',
        task: 'extract_by_region',
        arguments: { region },
      })
      const text = (output: Readonly<Record<string, unknown>>): string =>
        listOf<Region>(output, 'regions')
          .map((each) => each.text)
          .join(' ')
      bench.count(
        { tool: 'easyocr', family: 'document', what: 'values read in their box (extract_by_region)' },
        text(inBox.output) === shown.text,
      )
      const cut = await called(bench, picture, { tool: 'deepeyes', arguments: { bbox_2d: region } })
      const [image] = cut.images
      const row = { tool: 'deepeyes', family: 'document', what: 'values read by easyocr in the enlarged part' } as const
      if (image === undefined) bench.count(row, false)
      else {
        const picture = { sha256: image.image_id, bytes: image.bytes }
        bench.count(row, text((await called(bench, picture, { tool: 'easyocr' })).output) === shown.text)
      }
    }
    await turnedBack(bench, picture)
  }
}

/** A picture that is turned and turned back is the same. */
async function turnedBack(bench: Bench, picture: { sha256: string; bytes: Uint8Array }): Promise<void> {
  const turned = { tool: 'deepeyes', task: 'image_rotate_tool' }
  const [once] = (await called(bench, picture, { ...turned, arguments: { angle: 90 } })).images
  const back =
    once === undefined
      ? undefined
      : (await called(bench, { sha256: once.image_id, bytes: once.bytes }, { ...turned, arguments: { angle: 270 } }))
          .images[0]
  const isSame = back !== undefined && Buffer.from(decodedPng(back.bytes).data).equals(decodedPng(picture.bytes).data)
  bench.count({ tool: 'deepeyes', family: 'document', what: 'pictures turned and turned back to the same' }, isSame)
}
