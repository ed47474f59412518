import { places } from './names.ts'
import { bankOf } from '#services/gym/items/split-bank.ts'
import { fontFamilies } from '#services/gym/picture/fonts.ts'
import { element, specks, svgPicture, text, textBox } from '#services/gym/picture/svg.ts'
import { random } from '#services/gym/random.ts'
import type { Box, ItemKind, ItemRequest, Scene } from '#services/gym/items/item.ts'
import type { Random } from '#services/gym/random.ts'

type Level = { readonly stops: number; readonly trips: number; readonly noise: number; readonly minutes: boolean }

const levels: readonly Level[] = [
  { stops: 4, trips: 2, noise: 0, minutes: false },
  { stops: 5, trips: 3, noise: 0.3, minutes: true },
  { stops: 7, trips: 4, noise: 0.7, minutes: true },
]

/** `times[stop][trip]` in minutes after midnight. */
type Timetable = {
  readonly stops: readonly string[]
  readonly trips: readonly string[]
  readonly times: readonly (readonly number[])[]
}

/** When a bus or train is where, and how long it takes: after A-OKVQA's questions about things of every day. */
export const timetable: ItemKind = {
  kind: 'others/timetable',
  family: 'others',
  dataset: 'stepstore-aokvqa',
  levels,
  make(request) {
    const level = levels[request.level]
    if (level === undefined) throw new RangeError(`others/timetable has levels 0 to ${levels.length - 1}`)
    const stream = [request.split, 'timetable', request.index, request.style] as const
    const table = tableOf(level, request, random(request.seed, ...stream, 'values'))
    const { svg, boxes } = drawn(table, level, request)
    const asked = askedOf(table, level, random(request.seed, ...stream, 'question'))
    const evidence = asked.cells.map(([stop, trip]) => ({
      what: `${table.trips[trip] ?? ''} at ${table.stops[stop] ?? ''}`,
      box: boxes[stop]?.[trip] ?? ([0, 0, 1, 1] as const),
      value: hours(table.times[stop]?.[trip]),
    }))
    return { svg, question: asked.question, key: asked.key, evidence, scene: { ...table } }
  },
}

function tableOf(level: Level, request: ItemRequest, values: Random): Timetable {
  const stops = values.shuffle(bankOf(request.split, places)).slice(0, level.stops)
  const numbers = values.shuffle(Array.from({ length: 60 }, (_, place) => place + 12)).slice(0, level.trips)
  const kind = values.pick(['Bus', 'Train', 'Tram'])
  const starts = values
    .shuffle(Array.from({ length: 13 }, (_, hour) => hour + 6))
    .slice(0, level.trips)
    .toSorted((a, b) => a - b)
  const clocks = starts.map((hour) => hour * 60 + values.int(0, 45))
  const times = stops.map(() => {
    const now = [...clocks]
    for (const trip of clocks.keys()) clocks[trip] = (clocks[trip] ?? 0) + values.int(6, 34)
    return now
  })
  return { stops, trips: numbers.map((number) => `${kind} ${number}`), times }
}

function hours(minutes: number | undefined): string {
  if (minutes === undefined) return ''
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
}

function askedOf(
  table: Timetable,
  level: Level,
  chance: Random,
): Pick<Scene, 'question' | 'key'> & { cells: (readonly [number, number])[] } {
  const trip = chance.int(0, table.trips.length)
  const [one, two] = chance
    .shuffle([...table.stops.keys()])
    .slice(0, 2)
    .toSorted((a, b) => a - b)
  if (one === undefined || two === undefined) throw new RangeError('a timetable has two stops')
  const name = table.trips[trip] ?? ''
  const [from, to] = [table.times[one]?.[trip] ?? 0, table.times[two]?.[trip] ?? 0]
  if (level.minutes && chance.chance(0.4)) {
    return {
      question: `How many minutes does ${name} take from ${table.stops[one] ?? ''} to ${table.stops[two] ?? ''}?`,
      key: { answer: [String(to - from)], answer_type: 'numeric' },
      cells: [
        [one, trip],
        [two, trip],
      ],
    }
  }
  const words = hours(from)
  const question = chance.pick([
    `When is ${name} at ${table.stops[one] ?? ''}?`,
    `At what time does ${name} stop at ${table.stops[one] ?? ''}?`,
  ])
  if (chance.chance(0.5))
    return {
      question,
      key: { answer: [...new Set([words, words.replace(/^0/, '')])], answer_type: 'text' },
      cells: [[one, trip]],
    }
  const others = chance
    .shuffle([...new Set(table.times.flat().map(hours))].filter((each) => each !== words))
    .slice(0, 3)
  return {
    question,
    key: { answer: [words], answer_type: 'choice', choices: chance.shuffle([words, ...others]) },
    cells: [[one, trip]],
  }
}

function drawn(table: Timetable, level: Level, request: ItemRequest): { svg: string; boxes: Box[][] } {
  const look = random(request.seed, request.split, 'timetable', request.index, request.style, 'look')
  const noise = random(request.seed, request.split, 'timetable', request.index, 'noise')
  const family = look.pick(fontFamilies[request.style])
  const accent = look.pick(['#28507a', '#7a2e2e', '#2e6b4a', '#444444'])
  const zebra = look.chance(0.5)
  const centred = look.chance(0.5)
  const [left, top, step] = [34, 116, look.int(34, 41)]
  const column = look.int(118, 141)
  const width = left * 2 + 150 + column * table.trips.length
  const height = top + step * table.stops.length + 46
  const parts: string[] = [
    text(look.pick(['Timetable', 'Departures', 'Weekday service']), {
      x: left,
      y: 50,
      size: 26,
      family,
      weight: 700,
      fill: accent,
    }),
    element('line', { x1: left, y1: top - 14, x2: width - left, y2: top - 14, stroke: accent, 'stroke-width': 2 }),
  ]
  const across = (trip: number): number => left + 150 + column * (trip + (centred ? 0.5 : 0))
  const anchor = centred ? 'middle' : 'start'
  for (const [trip, name] of table.trips.entries()) {
    parts.push(text(name, { x: across(trip), y: top - 26, size: 17, family, weight: 700, anchor }))
  }
  const boxes = table.stops.map((stop, row) => {
    const y = top + step * (row + 0.5)
    if (zebra && row % 2 === 0)
      parts.push(
        element('rect', { x: left, y: y - step / 2 - 1, width: width - left * 2, height: step, fill: '#eef1f4' }),
      )
    parts.push(text(stop, { x: left + 8, y: y + 5, size: 17, family }))
    return table.trips.map((_, trip) => {
      const words = hours(table.times[row]?.[trip])
      const at = { x: across(trip), y: y + 5, size: 17, family, anchor } as const
      parts.push(text(words, at))
      return textBox(words, at)
    })
  })
  return { svg: svgPicture(width, height, '#ffffff', specks(noise, width, height, level.noise * 0.5), ...parts), boxes }
}
