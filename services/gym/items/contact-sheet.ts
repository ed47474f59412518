import { element, group, svgPicture, text, textWidth } from '#services/gym/picture/svg.ts'
import { renderedPng, type Picture } from '#services/gym/picture/render.ts'
import type { GymItem } from './generated.ts'

/** At most so many pictures on one sheet: it is one picture itself. */
export const sheetItemsMax = 60

const cell = { width: 420, picture: 300, words: 96 }
const margin = 12
const letters = { size: 13, family: 'Inter' } as const
const linesMax = 4

/**
 * One picture of many items in a grid, each with its question and answer: for a person to look through. With `evidence`
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
  const [width, height] = [columns * cell.width, rows * (cell.picture + cell.words)]
  const cells = items.map((item, place) => {
    const [x, y] = [(place % columns) * cell.width, Math.floor(place / columns) * (cell.picture + cell.words)]
    return group({ transform: `translate(${x} ${y})` }, ...cellParts(item, options.evidence === true))
  })
  return renderedPng(svgPicture(width, height, '#ffffff', ...cells))
}

function cellParts(item: GymItem, evidence: boolean): string[] {
  const { picture } = item
  const scale = Math.min((cell.width - 2 * margin) / picture.width, (cell.picture - margin) / picture.height)
  const size = { width: picture.width, height: picture.height }
  const href = `data:image/png;base64,${Buffer.from(picture.bytes).toString('base64')}`
  const boxes = evidence
    ? item.evidence.map(({ box: [left, top, right, bottom] }) =>
        element('rect', {
          x: left,
          y: top,
          width: right - left,
          height: bottom - top,
          fill: 'none',
          stroke: '#ff00c8',
          'stroke-width': 1.5 / scale,
        }),
      )
    : []
  const words = [...wrapped(item.question), `= ${item.key.answer.join(' or ')}${choicesOf(item)}`]
  return [
    group(
      { transform: `translate(${margin} ${margin}) scale(${scale.toFixed(4)})` },
      element('image', { ...size, href }),
      element('rect', { ...size, fill: 'none', stroke: '#999999', 'stroke-width': 1 / scale }),
      ...boxes,
    ),
    ...words.map((line, place) =>
      text(line, {
        ...letters,
        x: margin,
        y: cell.picture + 18 + 17 * place,
        weight: place === words.length - 1 ? 700 : 400,
      }),
    ),
  ]
}

function choicesOf({ key }: GymItem): string {
  if (key.choices === undefined) return ''
  const listed = ` of ${key.choices.join(', ')}`
  return listed.length > 50 ? `${listed.slice(0, 49)}…` : listed
}

/** The question in at most four lines; the last of a longer one ends in dots. */
function wrapped(question: string): string[] {
  const lines: string[] = ['']
  for (const word of question.split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`.trim()
    if (textWidth(longer, letters) <= cell.width - 2 * margin) lines[lines.length - 1] = longer
    else lines.push(word.slice(0, 60))
  }
  return lines.length <= linesMax ? lines : [...lines.slice(0, linesMax - 1), `${lines[linesMax - 1]}…`]
}
