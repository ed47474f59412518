import {
  guess,
  heardTexts,
  lettersApart,
  means,
  nearestTo,
  plainWords,
  quoted,
  type HeardText,
} from '#services/gym/families/heard-texts.ts'
import type { Expert, ExpertHeard } from '#services/gym/policies/policy.ts'

type Row = { readonly name: string; readonly words: string; readonly borders: readonly string[] }
type MapTable = { readonly classes: readonly string[]; readonly rows: readonly Row[] }

/** Reads maps as tables and infographics as placed text. */
export const expert: Expert = (question, choices, heard) => {
  const isMap = !/percentage|^What share of|(?:smallest|largest) share\?$/.test(question)
  const said = heard.find(({ ok }) => ok)
  if (heard.length === 0) {
    return isMap
      ? {
          think: 'This is a map in classes, so I read it as a table.',
          tool: 'map_to_table',
          task: 'to_table',
          arguments: {},
        }
      : {
          think: 'The figures are printed, so I read the text.',
          tool: 'easyocr',
          task: 'detect_and_recognize',
          arguments: {},
        }
  }
  const found =
    said === undefined
      ? null
      : isMap
        ? fromMap(question, choices, tableOf(said))
        : fromText(question, choices, heardTexts(said))
  if (found === null)
    return { think: 'The tool did not show what is asked for; I guess.', answer: guess(question, choices) }
  return { think: `What the tool read gives ${found}.`, answer: found }
}

function tableOf({ text }: ExpertHeard): MapTable {
  const [head = '', , ...lines] = text.split('\n')
  const rows = lines.map((line) => {
    const [name = '', words = '', borders = ''] = line.split('|').map((cell) => cell.trim())
    return { name, words, borders: borders.split(', ') }
  })
  return { classes: head.replace(/^classes: /, '').split(' ; '), rows }
}

function fromMap(question: string, choices: readonly string[], { classes, rows }: MapTable): string | null {
  const range = /(\d+ - \d+)\?$/.exec(question)?.[1]
  const inClass = rows.filter(({ words }) => plainWords(words) === plainWords(range ?? ''))
  if (question.startsWith('How many')) return String(inClass.length)
  if (range !== undefined) {
    return choices.find((choice) => inClass.some(({ name }) => means(name, choice))) ?? null
  }
  const named = rows
    .map((row) => ({ row, at: placeIn(question, row.name) }))
    .filter(({ at }) => at >= 0)
    .toSorted((one, other) => one.at - other.at)
    .map(({ row }) => row)
  const [one, two] = named
  if (one === undefined) return null
  if (/value range|Which class|In which range/.test(question))
    return nearestTo(one.words, choices, (choice) => choice) ?? one.words
  if (two === undefined) return null
  if (/border/.test(question)) return one.borders.some((name) => name === two.name) ? 'yes' : 'no'
  return classes.indexOf(one.words) > classes.indexOf(two.words) ? 'yes' : 'no'
}

/** Where a question names a region, one letter in four misread at most; -1 where it does not. */
function placeIn(question: string, name: string): number {
  const words = question.split(/[^\p{L}]+/u)
  return words.findIndex(
    (word) => /^\p{Lu}/u.test(word) && word.length > 3 && lettersApart(word, name) <= word.length / 4,
  )
}

function fromText(question: string, choices: readonly string[], texts: readonly HeardText[]): string | null {
  const [first, second] = quoted(question)
  if (first !== undefined) {
    const [one, two] = [shareOf(first, texts), second === undefined ? null : shareOf(second, texts)]
    if (one === null) return null
    return second === undefined ? String(one) : two === null ? null : String(Math.abs(one - two))
  }
  const found = choices.flatMap((choice) => {
    const share = shareOf(choice, texts)
    return share === null ? [] : [{ choice, share }]
  })
  const order = found.toSorted((one, other) => one.share - other.share)
  return order.at(/largest/.test(question) ? -1 : 0)?.choice ?? null
}

/** The percentage over a name or left of it. */
function shareOf(name: string, texts: readonly HeardText[]): number | null {
  const label = nearestTo(name, texts, ({ text }) => text)
  if (label === undefined) return null
  const near = texts
    .filter(({ text }) => /\d/.test(text) && text.length <= 5)
    .map((text) => {
      const above = label.y - text.y
      if (Math.abs(above) < 16 && text.right <= label.left + 4) return { text, away: label.left - text.right }
      return { text, away: above > 8 && above < 130 && Math.abs(text.x - label.x) < 36 ? above : Infinity }
    })
    .filter(({ away }) => away < 200)
    .toSorted((one, other) => one.away - other.away)
  const figures = near[0]?.text.text.replaceAll(/[Oo]/g, '0').replaceAll(/\D/g, '') ?? ''
  if (figures === '') return null
  // A % that was read as a figure makes more than a hundred.
  return Number(figures) > 100 ? Number(figures.slice(0, 2)) : Number(figures)
}
