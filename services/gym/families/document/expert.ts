import { readDate } from './banks.ts'
import { guess, heardTexts, means, quoted, type HeardText } from '#services/gym/families/heard-texts.ts'
import type { Expert } from '#services/gym/policies/policy.ts'

/** The labels that forms of all sorts bear: a text of these is no value. */
const labels = [
  'Invoice number',
  'Invoice date',
  'Due date',
  'Customer',
  'Order number',
  'Delivery city',
  'Receipt number',
  'Date',
  'Cashier',
  'Till',
  'Card',
  'Return until',
  'Full name',
  'Date of entry',
  'Department',
  'Phone',
  'Valid until',
  'Badge number',
  'Reference',
  'Date of letter',
  'Contact',
  'Reply by',
]

type Row = { readonly name: string; readonly quantity: number | null; readonly amounts: readonly number[] }

/** Reads the whole paper, then looks labels and rows up. */
export const expert: Expert = (question, choices, heard) => {
  const said = heard.find(({ ok }) => ok)
  if (heard.length === 0) {
    return {
      think: 'The answer stands somewhere on the paper, so I read all of its text first.',
      tool: 'easyocr',
      task: 'detect_and_recognize',
      arguments: {},
    }
  }
  const texts = said === undefined ? [] : heardTexts(said)
  const found = answerFrom(question, texts)
  if (found === null)
    return { think: 'The text does not show what is asked for; I guess.', answer: guess(question, choices) }
  return { think: `The text of the paper gives ${found}.`, answer: found }
}

function answerFrom(question: string, texts: readonly HeardText[]): string | null {
  const [first = '', second] = quoted(question)
  if (question.startsWith('How many days')) {
    const [from, to] = [valueOf(first, texts), valueOf(second ?? '', texts)].map((text) =>
      text === null ? null : readDate(text),
    )
    return from === null || to === null || from === undefined || to === undefined ? null : String(Math.abs(to - from))
  }
  if (/entry belongs to|given as|say under/.test(question)) return valueOf(first, texts)
  const rows = tableRows(texts)
  if (/How many different items/.test(question)) return String(rows.filter(({ name }) => !/^total/i.test(name)).length)
  if (/total of this/.test(question)) {
    const total = rows.find(({ name }) => /^total/i.test(name))?.amounts.at(-1)
    return written(total ?? rows.reduce((sum, { amounts }) => sum + (amounts.at(-1) ?? 0), 0))
  }
  const one = rows.find(({ name }) => means(name, first))
  const other = second === undefined ? undefined : rows.find(({ name }) => means(name, second))
  if (one === undefined) return null
  const [price = 0, amount = 0] = [one.amounts[0], one.amounts.at(-1)]
  if (question.startsWith('How many of')) return String(one.quantity ?? Math.max(1, Math.round(amount / price)))
  if (/price of one/.test(question)) return written(price)
  const more = other?.amounts.at(-1)
  if (more === undefined) return written(amount)
  return written(/differ/.test(question) ? Math.abs(amount - more) : amount + more)
}

function written(hundredths: number): string {
  return (hundredths / 100).toFixed(2)
}

/** What stands right of a label, or under it where there is nothing or another label to the right. */
function valueOf(label: string, texts: readonly HeardText[]): string | null {
  const place =
    texts.find(({ text }) => means(text, label)) ??
    texts.find(({ text }) => text.startsWith(`${label}:`) || text.startsWith(`${label} `))
  if (place === undefined) return null
  if (!means(place.text, label)) return place.text.slice(label.length).replace(/^[:\s]+/, '')
  const beside = texts
    .filter(
      (text) => /[\p{L}\p{N}]/u.test(text.text) && text.left >= place.right - 4 && Math.abs(text.y - place.y) < 12,
    )
    .toSorted((one, other) => one.left - other.left)
  const [right] = beside
  if (right !== undefined && !labels.some((each) => means(right.text, each))) return inOneLine(right, beside)
  const under = texts
    .filter(
      (text) =>
        /[\p{L}\p{N}]/u.test(text.text) &&
        text.top > place.y &&
        text.top - place.bottom < 46 &&
        Math.abs(text.left - place.left) < 34,
    )
    .toSorted((one, other) => one.top - other.top)
  const [below] = under
  if (below === undefined) return null
  const sameLine = texts.filter((text) => Math.abs(text.y - below.y) < 10 && text.left >= below.left)
  return inOneLine(
    below,
    sameLine.toSorted((one, other) => one.left - other.left),
  )
}

/** A value whose words were read apart, up to the first wide gap. */
function inOneLine(first: HeardText, line: readonly HeardText[]): string {
  let [words, end] = [first.text, first.right]
  for (const more of line) {
    if (more === first || more.left < end) continue
    if (more.left - end > 22) break
    words += ` ${more.text}`
    end = more.right
  }
  // The edges of a form's boxes are read as strokes.
  return words.replaceAll(/^[|[\]\s_]+|[|[\]\s_]+$/g, '')
}

/** Rows that bear an amount of money, with the words that begin them. Amounts in hundredths, left to right. */
function tableRows(texts: readonly HeardText[]): Row[] {
  const rows: HeardText[][] = []
  const ends = texts.filter(({ text }) => moneyIn(text).length > 0).toSorted((one, other) => one.y - other.y)
  for (const end of ends) {
    if (rows.some((row) => row.includes(end))) continue
    // The amount ends its row, and a turned sheet lets the row fall or rise by some pixels.
    rows.push(texts.filter((text) => Math.abs(text.y - end.y) < 13).toSorted((one, other) => one.left - other.left))
  }
  return rows.map((row) => {
    const words = row.filter(({ text }) => /\p{L}{2}/u.test(text)).map(({ text }) => text)
    const rest = row.filter(({ text }) => !/\p{L}{2}/u.test(text)).map(({ text }) => text)
    const all = rest.join(' ')
    const whole = /^\D*(\d{1,2})(?=\s|$)/.exec(all)?.[1]
    return { name: words.join(' '), quantity: whole === undefined ? null : Number(whole), amounts: moneyIn(all) }
  })
}

function moneyIn(text: string): number[] {
  return [...text.matchAll(/(\d[\d,]*)\s?\.\s?(\d\d)(?!\d)/g)].map(
    (match) => Number((match[1] ?? '').replaceAll(',', '')) * 100 + Number(match[2]),
  )
}
