import { halved } from './halved.ts'
import { textLines } from './text-lines.ts'
import { pictureOf } from './request-picture.ts'
import type { Box } from '#services/gym/items/item.ts'
import type { LocalTool, Pixels, ReadText, TextRegion } from '#services/gym/tools/tool.ts'

/** EasyOCR's tasks, read from pixels: text with places, places alone, text alone, of a region, as a table. */
export const ocr: LocalTool = async (request, readText) => {
  const { task, arguments: values } = request
  const pixels = pictureOf(request)
  if (task === 'detect_only') {
    const boxes = textLines(pixels).lines.map(({ box }) => [...box])
    const processed_output = boxes.map((box) => `[${box.join(', ')}]`).join('\n')
    return said(task, processed_output, { boxes })
  }
  const region = task === 'extract_by_region' ? (values['region'] as unknown as Box) : null
  const least = typeof values['min_confidence'] === 'number' ? values['min_confidence'] : 0.3
  const read = region === null ? await readAtItsSize(pixels, readText) : await readText(pixels, { regions: [region] })
  const found = read.filter(({ confidence }) => confidence >= least)
  if (task === 'extract_table') {
    const rows = tableRows(found, typeof values['row_tolerance'] === 'number' ? values['row_tolerance'] : 10)
    return said(task, rows.map((row) => row.join(' | ')).join('\n'), { rows })
  }
  const lines = rowsOf(found, 8).flat()
  if (task === 'recognize_only') {
    return said(task, lines.map(({ text }) => text).join('\n'), { texts: lines.map(({ text }) => text) })
  }
  const regions = lines.map(({ text, box, confidence }) => ({ text, box: [...box], confidence }))
  return said(task, lines.map(({ text, box }) => `${text} [${box.join(', ')}]`).join('\n'), { regions })
}

/** A picture with at most so many lines may be an enlarged part, whose letters are too tall for the reader. */
const fewLines = 3

/** Reads a picture; one of few lines at half and a quarter of its size too, and the reading of most sure letters is kept. */
async function readAtItsSize(pixels: Pixels, readText: ReadText): Promise<readonly TextRegion[]> {
  let best = await readText(pixels)
  if (best.length > fewLines) return best
  let smaller = pixels
  for (const factor of [2, 4]) {
    smaller = halved(smaller)
    if (Math.min(smaller.width, smaller.height) < 16) break
    const read = (await readText(smaller)).map(({ box: [left, top, right, bottom], ...rest }) => ({
      ...rest,
      box: [left * factor, top * factor, right * factor, bottom * factor] as const,
    }))
    if (sureLetters(read) > sureLetters(best)) best = read
  }
  return best
}

function sureLetters(read: readonly TextRegion[]): number {
  return read.reduce((sum, { text, confidence }) => sum + confidence * text.replaceAll(/[^\p{L}\p{N}]/gu, '').length, 0)
}

function said(task: string, processed_output: string, more: Readonly<Record<string, unknown>>) {
  const text = processed_output === '' ? 'No text was found.' : processed_output
  return { text, output: { task_type: task, success: true, processed_output, ...more } }
}

/** Texts whose middles are within `tolerance` pixels of the row's, each row from left to right. */
function rowsOf(found: readonly TextRegion[], tolerance: number): TextRegion[][] {
  const middle = ({ box }: TextRegion): number => (box[1] + box[3]) / 2
  const rows: TextRegion[][] = []
  for (const region of found.toSorted((a, b) => middle(a) - middle(b))) {
    const row = rows.at(-1)
    const [first] = row ?? []
    if (row !== undefined && first !== undefined && middle(region) - middle(first) <= tolerance) row.push(region)
    else rows.push([region])
  }
  return rows.map((row) => row.toSorted((a, b) => a.box[0] - b.box[0]))
}

/** Rows with one cell for each column: columns are where texts of the rows overlap from left to right. */
function tableRows(found: readonly TextRegion[], tolerance: number): string[][] {
  const rows = rowsOf(found, tolerance)
  const columns: { left: number; right: number }[] = []
  // Rows of one text are titles and notes: they say nothing of columns.
  for (const { box } of rows
    .filter((row) => row.length > 1)
    .flat()
    .toSorted((a, b) => a.box[0] - b.box[0])) {
    const over = columns.filter((column) => column.left < box[2] && column.right > box[0])
    const [first] = over
    if (first === undefined) columns.push({ left: box[0], right: box[2] })
    else {
      first.left = Math.min(...over.map(({ left }) => left), box[0])
      first.right = Math.max(...over.map(({ right }) => right), box[2])
      for (const other of over.slice(1)) columns.splice(columns.indexOf(other), 1)
    }
  }
  columns.sort((a, b) => a.left - b.left)
  return rows.map((row) => {
    if (row.length === 1 || columns.length === 0) return row.map(({ text }) => text)
    const cells = columns.map(({ left, right }) =>
      row
        .filter(({ box }) => box[0] < right && box[2] > left)
        .map(({ text }) => text)
        .join(' '),
    )
    return cells
  })
}
