import { places } from './names.ts'
import { bankOf } from '#services/gym/items/split-bank.ts'
import { fontFamilies } from '#services/gym/picture/fonts.ts'
import { element, specks, svgPicture, text, wholeBox } from '#services/gym/picture/svg.ts'
import { random } from '#services/gym/random.ts'
import type { ItemKind, ItemRequest, Scene } from '#services/gym/items/item.ts'
import type { Random } from '#services/gym/random.ts'

type Level = {
  readonly clocks: number
  readonly step_minutes: number
  readonly second_hand: boolean
  readonly numerals: string
}

const levels: readonly Level[] = [
  { clocks: 1, step_minutes: 5, second_hand: false, numerals: 'figures' },
  { clocks: 2, step_minutes: 1, second_hand: false, numerals: 'any' },
  { clocks: 3, step_minutes: 1, second_hand: true, numerals: 'any' },
]

type Clock = { readonly place: string; readonly hour: number; readonly minute: number; readonly second: number }

/** The hands of a clock, apart enough to be told from each other. */
const handsApartMin_degrees = 14

/** Which time an analogue clock shows, and how far apart two are: after ThinkVL's everyday diagrams. */
export const clock: ItemKind = {
  kind: 'others/clock',
  family: 'others',
  dataset: 'stepstore-thinkvl',
  levels,
  make(request) {
    const level = levels[request.level]
    if (level === undefined) throw new RangeError(`others/clock has levels 0 to ${levels.length - 1}`)
    const values = random(request.seed, request.split, 'clock', request.index, request.style, 'values')
    const names = values.shuffle(bankOf(request.split, places))
    const clocks = Array.from({ length: level.clocks }, (_, place) => clockAt(names[place] ?? '', level, values))
    const { svg, boxes } = drawnClocks(clocks, level, request)
    const asked = askedOf(
      clocks,
      random(request.seed, request.split, 'clock', request.index, request.style, 'question'),
    )
    const evidence = asked.of.map((place) => ({
      what: `clock of ${clocks[place]?.place ?? ''}`,
      box: boxes[place] ?? [0, 0, 1, 1],
      value: clockWords(clocks[place]),
    }))
    return { svg, question: asked.question, key: asked.key, evidence, scene: { clocks } }
  },
}

function clockAt(place: string, level: Level, values: Random): Clock {
  for (;;) {
    const [hour, minute] = [values.int(1, 13), values.int(0, 60 / level.step_minutes) * level.step_minutes]
    const apart = Math.abs(hourAngle(hour, minute) - minute * 6) % 360
    if (Math.min(apart, 360 - apart) >= handsApartMin_degrees) return { place, hour, minute, second: values.int(0, 60) }
  }
}

function hourAngle(hour: number, minute: number): number {
  return (hour % 12) * 30 + minute / 2
}

function clockWords(one: Clock | undefined): string {
  return one === undefined ? '' : `${one.hour}:${String(one.minute).padStart(2, '0')}`
}

function askedOf(clocks: readonly Clock[], chance: Random): Pick<Scene, 'question' | 'key'> & { of: number[] } {
  const [one = 0] = chance.shuffle([...clocks.keys()])
  const shown = clocks[one]
  const words = clockWords(shown)
  const question = chance.pick([
    `What time does the clock of ${shown?.place ?? ''} show?`,
    `Which time is it on the clock of ${shown?.place ?? ''}?`,
  ])
  if (shown === undefined || chance.chance(0.5)) {
    return {
      question: `${question} Answer like 3:25.`,
      key: { answer: [...new Set([words, words.padStart(5, '0')])], answer_type: 'text' },
      of: [one],
    }
  }
  // The wrong ones are what a hasty reader sees: the hour beside, the hands swapped, another minute.
  const swapped = { ...shown, hour: Math.round(shown.minute / 5) || 12, minute: (shown.hour % 12) * 5 }
  const wrong = [
    { ...shown, hour: (shown.hour % 12) + 1 },
    { ...shown, minute: (shown.minute + 15) % 60 },
    swapped,
    { ...shown, minute: (shown.minute + 40) % 60 },
    { ...shown, hour: ((shown.hour + 9) % 12) + 1 },
  ]
  const others = [...new Set(wrong.map(clockWords))].filter((each) => each !== words)
  const choices = chance.shuffle([words, ...chance.shuffle(others).slice(0, 3)])
  return { question, key: { answer: [words], answer_type: 'choice', choices }, of: [one] }
}

function drawnClocks(clocks: readonly Clock[], level: Level, request: ItemRequest) {
  const chance = random(request.seed, request.split, 'clock', request.index, request.style, 'look')
  const family = chance.pick(fontFamilies[request.style])
  const radius = level.clocks === 1 ? 150 : level.clocks === 2 ? 140 : 115
  const wide = radius * 2 + 46
  const [width, height] = [Math.max(420, wide * clocks.length + 20), radius * 2 + 130]
  const left = (width - wide * clocks.length) / 2
  const numerals = level.numerals === 'any' ? chance.pick(['figures', 'quarters', 'none']) : 'figures'
  const face = chance.pick(
    request.style === 'unseen' ? ['#fdf4e3', '#eef5f0', '#f4eef8'] : ['#ffffff', '#fbfbf4', '#f2f6fa'],
  )
  const rim = chance.pick(
    request.style === 'unseen' ? ['#6b4a2f', '#4a5d4f', '#70305c'] : ['#222222', '#335577', '#8a3030'],
  )
  const ground = chance.pick(['#ffffff', '#e9edf0', '#f3ece2'])
  const parts = clocks.map((one, place) => {
    const [x, y] = [left + wide * (place + 0.5), radius + 28]
    return drawnClock(one, { x, y, radius, numerals, face, rim, family, seconds: level.second_hand })
  })
  const captions = clocks.map((one, place) =>
    text(one.place, {
      x: left + wide * (place + 0.5),
      y: radius * 2 + 74,
      size: 24,
      family,
      weight: 700,
      anchor: 'middle',
    }),
  )
  const noise = random(request.seed, request.split, 'clock', request.index, 'noise')
  return {
    svg: svgPicture(width, height, ground, specks(noise, width, height, request.level * 0.25), ...parts, ...captions),
    boxes: clocks.map((_, place) => {
      const x = left + wide * (place + 0.5)
      return wholeBox(x - radius, 28, x + radius, 28 + radius * 2)
    }),
  }
}

type ClockLook = {
  readonly x: number
  readonly y: number
  readonly radius: number
  readonly numerals: string
  readonly face: string
  readonly rim: string
  readonly family: string
  readonly seconds: boolean
}

function drawnClock({ hour, minute, second }: Clock, look: ClockLook): string {
  const { x, y, radius } = look
  const point = (degrees: number, reach: number): readonly [number, number] => [
    x + Math.sin((degrees * Math.PI) / 180) * reach * radius,
    y - Math.cos((degrees * Math.PI) / 180) * reach * radius,
  ]
  const stroke = (degrees: number, from: number, to: number, width: number, colour: string): string => {
    const [[x1, y1], [x2, y2]] = [point(degrees, from), point(degrees, to)]
    return element('line', { x1, y1, x2, y2, stroke: colour, 'stroke-width': width, 'stroke-linecap': 'round' })
  }
  const parts = [
    element('circle', { cx: x, cy: y, r: radius - 4, fill: look.face, stroke: look.rim, 'stroke-width': 7 }),
  ]
  for (let tick = 0; tick < 60; tick++) {
    parts.push(stroke(tick * 6, tick % 5 === 0 ? 0.87 : 0.91, 0.93, tick % 5 === 0 ? 3 : 1.2, '#333333'))
  }
  for (let number = 1; number <= 12; number++) {
    if (look.numerals === 'none' || (look.numerals === 'quarters' && number % 3 !== 0)) continue
    const [tx, ty] = point(number * 30, 0.76)
    const size = radius * 0.14
    parts.push(
      text(String(number), { x: tx, y: ty + size * 0.36, size, family: look.family, weight: 700, anchor: 'middle' }),
    )
  }
  parts.push(
    stroke(hourAngle(hour, minute), -0.08, 0.42, radius * 0.07, '#222222'),
    stroke(minute * 6, -0.1, 0.64, radius * 0.04, '#222222'),
  )
  if (look.seconds) parts.push(stroke(second * 6, -0.14, 0.66, 1.6, '#d22f2f'))
  parts.push(element('circle', { cx: x, cy: y, r: radius * 0.05, fill: '#222222' }))
  return parts.join('')
}
