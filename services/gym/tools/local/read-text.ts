import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createWorker, OEM, PSM, type Worker } from 'tesseract.js'
import { lineCrop } from './text-crop.ts'
import { numberMarks, textLines, type Ink, type NumberStrokes, type TextLine } from './text-lines.ts'
import type { Box } from '#services/gym/items/item.ts'
import type { ReadText, TextRegion } from '#services/gym/tools/tool.ts'

const require = createRequire(import.meta.url)

/** Lines after which the reader is started anew: it leaks some kilobytes a picture. */
const linesPerReader = 4000

/** The most lines that are read in one picture; the tallest are kept. */
const linesMax = 250

/** A reader of text, and how to stop it. */
export type TextReader = { readonly readText: ReadText; close(): Promise<void> }

/**
 * Reads text offline with tesseract (LSTM, English), one line at a time. The lines are found here, so the same picture
 * gives the same text whatever was read before: nothing adapts, and each line stands alone. Calls wait for one another.
 */
export function textReader(): TextReader {
  let reader: Promise<Worker> | null = null
  let left = linesPerReader
  let turn: Promise<unknown> = Promise.resolve()

  async function ready(lines: number): Promise<Worker> {
    if (reader !== null && left < lines) {
      const old = reader
      reader = null
      await (await old).terminate()
    }
    if (reader === null) {
      reader = started()
      left = linesPerReader
    }
    left -= lines
    return reader
  }

  const readText: ReadText = (pixels, options = {}) => {
    const reading = turn.then(async () => {
      const { ink, lines } = textLines(pixels)
      const wanted = tallest(lines.filter((line) => options.regions?.some((box) => isInside(line.box, box)) ?? true))
      if (wanted.length === 0) return []
      const worker = await ready(wanted.length)
      const found: TextRegion[] = []
      for (const line of wanted) {
        const crop = (turned: TextLine['turned'], spread = 0): Buffer =>
          lineCrop(pixels, ink, { ...line, turned }, spread)
        const read =
          line.turned === 0
            ? await levelRead(worker, crop, line, ink, options.digits === true)
            : await turnedRead(worker, crop, options.digits === true)
        if (read.text !== '') found.push({ ...read, box: line.box })
      }
      return found
    })
    turn = reading.catch(() => undefined)
    return reading
  }
  return {
    readText,
    async close() {
      await turn
      if (reader !== null) await (await reader).terminate()
      reader = null
    },
  }
}

/** A number that was read less surely is read again. */
const sureMin = 0.5

type Reading = { readonly text: string; readonly confidence: number }

type Crop = (turned: TextLine['turned'], spread?: number) => Buffer

/** Reads one line; a number that was misread or read unsurely is read again as figures, a little apart, and the surer reading is kept. */
async function levelRead(worker: Worker, crop: Crop, line: TextLine, ink: Ink, digits: boolean): Promise<Reading> {
  const marks = numberMarks(line, ink)
  const first = await recognised(worker, crop(0), digits)
  const mended = { ...first, text: mendedNumber(first.text, marks) }
  const isMissed = looksLikeFigures(first.text) || lostFigures(first.text, marks.figures)
  if (!isMissed && !(first.confidence < sureMin && /[\d%$]/.test(first.text))) return mended
  const spread = Math.max(2, Math.round(0.18 * (line.box[3] - line.box[1])))
  const again = await recognised(worker, crop(0, spread), true, first.text.includes(':') ? ':' : '')
  const isWhole = isMissed && digitsOf(again.text) === marks.figures
  return isWhole || (again.text !== '' && again.confidence > first.confidence)
    ? { ...again, text: mendedNumber(again.text, marks) }
    : mended
}

/** Reads a line that stands on its side; upwards is usual, and downwards where that gives no sense. */
async function turnedRead(worker: Worker, crop: Crop, digits: boolean): Promise<Reading> {
  const upwards = await recognised(worker, crop(-90), digits)
  if (upwards.confidence >= 0.75) return upwards
  const downwards = await recognised(worker, crop(90), digits)
  return downwards.confidence > upwards.confidence + 0.1 ? downwards : upwards
}

async function recognised(worker: Worker, crop: Buffer, digits: boolean, more = ''): Promise<Reading> {
  // Parameters of tesseract beside tesseract.js's own: they hold for this one line.
  const options = digits ? { tessedit_char_whitelist: `0123456789.,-+%$${more}` } : {}
  const { data } = await worker.recognize(crop, options as Parameters<Worker['recognize']>[1], { text: true })
  return { text: data.text.trim(), confidence: Math.round(data.confidence) / 100 }
}

/** Such as 1n2 or 20M or l00, but not B12 or 12 kg. */
function looksLikeFigures(text: string): boolean {
  const figures = text.replace(/[^0-9]/g, '').length
  const letters = text.replace(/[^A-Za-z|]/g, '').length
  if (letters === 0 || letters > 2 || /^[A-Z]{1,2}-?\d+$/.test(text)) return false
  return figures >= letters && /^[-$]?[\dOoIlinSsBZMgqT|.,]+%?$/.test(text)
}

/** A whole number or a time with fewer figures than strokes were seen: two of them were read as one. */
function lostFigures(text: string, strokes: number): boolean {
  return /^\d[\d:]*$/.test(text) && digitsOf(text) < strokes
}

function digitsOf(text: string): number {
  return text.replace(/\D/g, '').length
}

/** Puts back the points, commas and signs of a number that were seen as strokes and yet not read; a blank stays where one is seen. */
function mendedNumber(text: string, { figures, marks, blanks }: NumberStrokes): string {
  const match = /^([-\u2013\u2014]?)(\$?)([\d.,\s]+)(%?)$/.exec(text)
  if (match === null) return text
  const [, minus = '', money = '', body = '', percent = ''] = match
  const digits = body.replace(/\D/g, '')
  const ahead = money.length
  if (percent === '' ? figures !== digits.length + ahead : figures < digits.length + ahead) return text
  const sign = minus !== '' || marks.some((mark) => mark.sign === '-' && mark.after === 0) ? '-' : ''
  // What was read between the figures stays: a point that touches a figure is no mark of its own.
  const read = body
    .split(/\d/)
    .map((between, place) => (/^\s+$/.test(between) && blanks.includes(place + ahead) ? ' ' : between.trim()))
  const out = digits.split('').map((digit, place) => {
    const seen = marks.find((mark) => mark.sign !== '-' && mark.after === place + ahead)
    return place === 0 ? digit : `${read[place] === '' ? (seen?.sign ?? '') : read[place]}${digit}`
  })
  return `${sign}${money}${out.join('')}${percent}`
}

async function started(): Promise<Worker> {
  const language = dirname(require.resolve('@tesseract.js-data/eng/package.json'))
  const worker = await createWorker(
    'eng',
    OEM.LSTM_ONLY,
    { langPath: join(language, '4.0.0_best_int'), gzip: true, cacheMethod: 'none', errorHandler: () => undefined },
    { load_system_dawg: '1', load_freq_dawg: '1' },
  )
  await worker.setParameters({
    tessedit_pageseg_mode: PSM.SINGLE_LINE,
    // Words of earlier lines would weigh on later ones.
    tessedit_enable_doc_dict: '0',
    classify_enable_learning: '0',
    tessedit_do_invert: '0',
    user_defined_dpi: '150',
  } as Parameters<Worker['setParameters']>[0])
  return worker
}

function tallest(lines: readonly TextLine[]): readonly TextLine[] {
  if (lines.length <= linesMax) return lines
  const height = ({ box }: TextLine): number => Math.min(box[3] - box[1], box[2] - box[0])
  const kept = new Set(lines.toSorted((a, b) => height(b) - height(a)).slice(0, linesMax))
  return lines.filter((line) => kept.has(line))
}

/** Whether the middle of a line lies in a region. */
function isInside(line: Box, [left, top, right, bottom]: Box): boolean {
  const [x, y] = [(line[0] + line[2]) / 2, (line[1] + line[3]) / 2]
  return x >= left && x < right && y >= top && y < bottom
}
