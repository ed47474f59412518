import { drawnPaper } from './drawing.ts'
import { money, paperLevels, paperOf } from './paper.ts'
import { random } from '#services/gym/random.ts'
import type { Paper } from './paper.ts'
import type { Evidence, ItemKind, ItemRequest, Scene } from '#services/gym/items/item.ts'
import type { Random } from '#services/gym/random.ts'

type Asked = Pick<Scene, 'question' | 'key'> & { readonly places: readonly string[] }

/** What stands beside a label, and how many days lie between two dates: after DocVQA's form questions. */
export const field: ItemKind = {
  kind: 'document/field',
  family: 'document',
  dataset: 'stepstore-docvqa',
  levels: paperLevels,
  make: (request) => madeScene(request, 'document/field', 'fields', askedField),
}

/** Quantities, prices, amounts, sums and the total of a table of goods: after DocVQA's table questions. */
export const lineItem: ItemKind = {
  kind: 'document/line-item',
  family: 'document',
  dataset: 'stepstore-docvqa',
  levels: paperLevels,
  make: (request) => madeScene(request, 'document/line-item', 'lines', askedLine),
}

function madeScene(
  request: ItemRequest,
  kind: string,
  needs: 'fields' | 'lines',
  asked: (paper: Paper, chance: Random, level: number) => Asked,
): Scene {
  const paper = paperOf(request, kind, needs)
  const { question, key, places } = asked(
    paper,
    random(request.seed, request.split, kind, request.index, 'question'),
    request.level,
  )
  const drawn = drawnPaper(paper, request)
  const evidence = places.map((name): Evidence => {
    const place = drawn.places.get(name)
    if (place === undefined) throw new RangeError(`the paper shows no ${name}`)
    return place
  })
  const { look: _, ...scene } = paper
  return { svg: drawn.svg, question, key, evidence, scene }
}

function askedField(paper: Paper, chance: Random, level: number): Asked {
  const [first, second] = paper.fields.filter((each) => each.day !== undefined)
  const asksDays = chance.chance(0.35)
  if (level > 0 && asksDays && first?.day !== undefined && second?.day !== undefined) {
    return {
      question: `How many days after the “${first.label}” is the “${second.label}”?`,
      key: { answer: [String(second.day - first.day)], answer_type: 'numeric' },
      places: [`field ${first.label}`, `field ${second.label}`],
    }
  }
  const { label, value } = chance.pick(paper.fields)
  const word = paper.layout
  const question = chance.pick([
    `What is given as “${label}” on this ${word}?`,
    `What does the ${word} say under “${label}”?`,
    `Which entry belongs to “${label}”?`,
  ])
  return { question, key: { answer: [value], answer_type: 'text' }, places: [`field ${label}`] }
}

function askedLine(paper: Paper, chance: Random, level: number): Asked {
  const [one, two] = chance.shuffle(paper.lines)
  if (one === undefined || two === undefined) throw new RangeError('a paper has two lines or more')
  const numeric = (answer: string): Scene['key'] => ({ answer: [answer], answer_type: 'numeric' })
  const amounts = [`amount ${one.name}`, `amount ${two.name}`]
  const easy: Asked[] = [
    {
      question: `How many of “${one.name}” were bought?`,
      key: numeric(String(one.quantity)),
      places: [`quantity ${one.name}`],
    },
    {
      question: `What is the price of one “${one.name}”?`,
      key: numeric(money(one.price)),
      places: [`price ${one.name}`],
    },
    {
      question: `What is the amount for “${one.name}”?`,
      key: numeric(money(one.amount)),
      places: [`amount ${one.name}`],
    },
    { question: `What is the total of this ${paper.layout}?`, key: numeric(money(paper.total)), places: ['total'] },
  ]
  const hard: Asked[] = [
    {
      question: `What do “${one.name}” and “${two.name}” come to together?`,
      key: numeric(money(one.amount + two.amount)),
      places: amounts,
    },
    {
      question: `By how much do the amounts for “${one.name}” and “${two.name}” differ?`,
      key: numeric(money(Math.abs(one.amount - two.amount))),
      places: amounts,
    },
    {
      question: `How many different items does this ${paper.layout} list?`,
      key: numeric(String(paper.lines.length)),
      places: paper.lines.map((line) => `item ${line.name}`),
    },
  ]
  // The number of items is fixed by the level, so it is asked seldom: a policy could learn it without looking.
  const pool = level === 0 ? easy : [...easy, ...easy, ...hard, ...hard.slice(0, 2)]
  return chance.pick(pool)
}
