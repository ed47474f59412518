import { element, group, svgPicture, text, textWidth } from '#services/gym/picture/svg.ts'
import { renderedPng, type Picture } from '#services/gym/picture/render.ts'
import type { GymItem } from './generated.ts'

/** At most so many pictures on one sheet: it is one picture itself. */
export const sheetItemsMax = 60

const cell = { width: 420, picture: 300 }
const margin = 12
const lineHeight = 17
/** A font with the signs of geometry: Inter draws boxes for ∠ and ⟂. */
const letters = { size: 12, family: 'DejaVu Sans' } as const
const linesMax = { question: 4, answer: 2, choices: 4 } as const
/** An item's name stands small and grey above its words. */
const nameLetters = { size: 9, family: 'DejaVu Sans', fill: '#888888' } as const
const nameHeight = 14

/**
 * One picture of many items in a grid, each with its name, question, answer and choices: for a person to look through. With `evidence`
 * the boxes that the answer rests on are drawn over each. Throws RangeError for no items or more than `sheetItemsMax`.
 */
export function contactSheet(
  items: readonly GymItem[],
  options: { columns?: number; evidence?: boolean } = {},
): Picture {
  if (items.length === 0 || items.length > sheetItemsMax)
    throw new RangeError(`a sheet has 1 to ${sheetItemsMax} items`)
  const columns = Math.min(items.length, options.columns ?? 4)
  const rows = Math.ceil(items.length / columns)
  const words = items.map(wordsOf)
  const high = cell.picture + 30 + nameHeight + lineHeight * Math.max(...words.map((lines) => lines.length - 1))
  const cells = items.map((item, place) => {
    const [x, y] = [(place % columns) * cell.width, Math.floor(place / columns) * high]
    const parts = [...pictureParts(item, options.evidence === true), ...(words[place] ?? [])]
    return group({ transform: `translate(${x} ${y})` }, ...parts)
  })
  return renderedPng(svgPicture(columns * cell.width, rows * high, '#ffffff', ...cells))
}

function pictureParts({ picture, evidence }: GymItem, withEvidence: boolean): string[] {
  const scale = Math.min((cell.width - 2 * margin) / picture.width, (cell.picture - margin) / picture.height)
  const size = { width: picture.width, height: picture.height }
  const href = `data:image/png;base64,${Buffer.from(picture.bytes).toString('base64')}`
  const boxes = (withEvidence ? evidence : []).map(({ box: [left, top, right, bottom] }) => {
    const place = { x: left, y: top, width: right - left, height: bottom - top }
    return element('rect', { ...place, fill: 'none', stroke: '#ff00c8', 'stroke-width': 1.5 / scale })
  })
  const drawn = [
    element('image', { ...size, href }),
    element('rect', { ...size, fill: 'none', stroke: '#999999', 'stroke-width': 1 / scale }),
    ...boxes,
  ]
  return [group({ transform: `translate(${margin} ${margin}) scale(${scale.toFixed(4)})` }, ...drawn)]
}

/** The item's name and the question; in bold the answer with its unit; the choices: each on lines of their own. */
function wordsOf({ item_id, question, key }: GymItem): string[] {
  const unit = key.unit === undefined ? '' : ` ${key.unit}`
  const lines = (words: string, most: number, weight: 400 | 700): { line: string; weight: 400 | 700 }[] =>
    wrapped(words, most, weight).map((line) => ({ line, weight }))
  const said = [
    ...lines(question, linesMax.question, 400),
    ...lines(`= ${key.answer.join(' or ')}${unit}`, linesMax.answer, 700),
    ...(key.choices === undefined ? [] : lines(`of: ${key.choices.join(' · ')}`, linesMax.choices, 400)),
  ]
  const top = cell.picture + 16
  return [
    text(item_id, { ...nameLetters, x: margin, y: top }),
    ...said.map(({ line, weight }, place) =>
      text(line, { ...letters, x: margin, y: top + nameHeight + 4 + lineHeight * place, weight }),
    ),
  ]
}

/** Words in at most so many lines of a cell; the last one of longer words ends in dots. A longer word is cut. */
function wrapped(words: string, lines: number, weight: 400 | 700): string[] {
  const room = cell.width - 2 * margin
  const fits = (line: string): boolean => textWidth(line, { ...letters, weight }) <= room
  const out: string[] = ['']
  for (const word of words.split(/\s+/)) {
    const longer = `${out.at(-1)} ${word}`.trim()
    if (fits(longer)) out[out.length - 1] = longer
    else out.push(shortened(word, fits))
  }
  const kept = out.filter((line) => line !== '')
  if (kept.length <= lines) return kept
  return [...kept.slice(0, lines - 1), shortened(`${kept[lines - 1]} …`, fits)]
}

/** As many letters as fit, with dots where some are left out. */
function shortened(word: string, fits: (line: string) => boolean): string {
  if (fits(word)) return word
  let length = word.length
  while (length > 1 && !fits(`${word.slice(0, length)}…`)) length--
  return `${word.slice(0, length)}…`
}
