import { textLines } from './text-lines.ts'
import { pictureOf } from './request-picture.ts'
import type { Box } from '#services/gym/items/item.ts'
import type { LocalTool, TextRegion } from '#services/gym/tools/tool.ts'

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
  const found = (await readText(pixels, region === null ? {} : { regions: [region] })).filter(
    ({ confidence }) => confidence >= least,
  )
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
