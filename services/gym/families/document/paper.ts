import { cities, companies, departments, goods, people, streets, writtenDate } from './banks.ts'
import { bankOf } from '#services/gym/items/split-bank.ts'
import { fontFamilies } from '#services/gym/picture/fonts.ts'
import { random } from '#services/gym/random.ts'
import type { ItemRequest } from '#services/gym/items/item.ts'
import type { Random } from '#services/gym/random.ts'

export type PaperLevel = {
  readonly fields: number
  readonly lines: number
  readonly stamp: boolean
  /** How far the sheet may be turned, in degrees. */
  readonly turn: number
  readonly specks: number
}

export const paperLevels: readonly PaperLevel[] = [
  { fields: 4, lines: 3, stamp: false, turn: 0, specks: 0 },
  { fields: 5, lines: 5, stamp: true, turn: 0, specks: 0.3 },
  { fields: 6, lines: 7, stamp: true, turn: 0.8, specks: 0.6 },
]

export const layouts = ['invoice', 'receipt', 'form', 'letter'] as const
export type Layout = (typeof layouts)[number]

/** A named entry of a paper, such as "Due date"; `day` where it is a date, in days since 1970. */
export type Field = { readonly label: string; readonly value: string; readonly day?: number }

/** A line item; `amount` is quantity x price, in hundredths. */
export type LineItem = {
  readonly name: string
  readonly quantity: number
  readonly price: number
  readonly amount: number
}

/** A form, invoice, receipt or letter as data. */
export type Paper = {
  readonly layout: Layout
  readonly company: string
  readonly address: string
  readonly person: string
  readonly fields: readonly Field[]
  readonly lines: readonly LineItem[]
  /** Hundredths. */
  readonly total: number
  readonly look: {
    readonly family: string
    readonly ink: string
    readonly accent: string
    readonly sheet: string
    readonly turn: number
    readonly grid: 'lines' | 'zebra' | 'none'
    readonly colon: boolean
    readonly stamp: string | null
    readonly specks: number
  }
}

/** Draws the data of a paper. `needs` says what the question must find on it. */
export function paperOf(request: ItemRequest, kind: string, needs: 'fields' | 'lines'): Paper {
  const level = paperLevels[request.level]
  if (level === undefined) throw new RangeError(`${kind} has levels 0 to ${paperLevels.length - 1}`)
  const stream = [request.split, kind, request.index, request.style] as const
  const layout = random(request.seed, ...stream, 'layout')
  const values = random(request.seed, ...stream, 'values')
  const chosen = layout.pick(needs === 'fields' ? layouts : layouts.filter((each) => each !== 'form'))
  const bank = (names: readonly string[]): readonly string[] => bankOf(request.split, names)
  const person = values.pick(bank(people))
  const lines = values
    .shuffle(bank(goods))
    .slice(0, level.lines + values.int(-1, 2))
    .map((name) => {
      const [quantity, price] = [values.int(1, 10), values.int(20, 600) * 5]
      return { name, quantity, price, amount: quantity * price }
    })
  return {
    layout: chosen,
    company: values.pick(bank(companies)),
    address: `${values.int(2, 98)} ${values.pick(streets)}, ${values.pick(bank(cities))}`,
    person,
    fields: fieldsOf(chosen, person, bank, values).slice(0, level.fields),
    lines,
    total: lines.reduce((sum, line) => sum + line.amount, 0),
    look: {
      family: layout.pick(fontFamilies[request.style]),
      ink: layout.pick(['#1a1a1a', '#222a38', '#2a2420']),
      accent: layout.pick(['#28507a', '#7a2e2e', '#2e6b4a', '#5a3d7a', '#444444']),
      sheet: layout.pick(['#ffffff', '#fdfcf7', '#f9fafc']),
      turn: (layout.next() * 2 - 1) * level.turn,
      grid: layout.pick(['lines', 'zebra', 'none'] as const),
      colon: layout.chance(0.5),
      stamp: level.stamp && layout.chance(0.7) ? layout.pick(['PAID', 'COPY', 'CHECKED', 'RECEIVED']) : null,
      specks: level.specks,
    },
  }
}

function fieldsOf(
  layout: Layout,
  person: string,
  bank: (names: readonly string[]) => readonly string[],
  values: Random,
): readonly Field[] {
  const way = values.int(0, 3)
  const first = Math.floor(Date.UTC(2026 + values.int(0, 3), values.int(0, 12), values.int(1, 28)) / 86_400_000)
  const date = (label: string, day: number): Field => ({
    label,
    value: writtenDate(new Date(day * 86_400_000), way),
    day,
  })
  const code = (): string =>
    `${values.pick(['AK', 'BR', 'DN', 'HM', 'KT', 'NR', 'PX', 'RM', 'TW'])}-${values.int(1200, 9800)}`
  const phone = `${values.int(210, 980)} ${values.int(310, 980)} ${values.int(1200, 9900)}`
  const later = first + values.int(10, 60)
  const all: Readonly<Record<Layout, readonly Field[]>> = {
    invoice: [
      { label: 'Invoice number', value: code() },
      date('Invoice date', first),
      date('Due date', later),
      { label: 'Customer', value: person },
      { label: 'Order number', value: code() },
      { label: 'Delivery city', value: values.pick(bank(cities)) },
    ],
    receipt: [
      { label: 'Receipt number', value: code() },
      date('Date', first),
      { label: 'Cashier', value: person },
      { label: 'Till', value: String(values.int(1, 13)) },
      { label: 'Card', value: code() },
      date('Return until', later),
    ],
    form: [
      { label: 'Full name', value: person },
      date('Date of entry', first),
      { label: 'Department', value: values.pick(departments) },
      { label: 'Phone', value: phone },
      date('Valid until', later),
      { label: 'Badge number', value: code() },
    ],
    letter: [
      { label: 'Reference', value: code() },
      date('Date of letter', first),
      { label: 'Contact', value: person },
      date('Reply by', later),
      { label: 'Phone', value: phone },
      { label: 'Department', value: values.pick(departments) },
    ],
  }
  return all[layout]
}

/** An amount in hundredths as papers write it: 1,234.50 */
export function money(hundredths: number): string {
  const [whole = '', rest = ''] = (hundredths / 100).toFixed(2).split('.')
  return `${whole.replaceAll(/\B(?=(?:\d{3})+$)/g, ',')}.${rest}`
}
