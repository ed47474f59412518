import { machines } from './names.ts'
import { bankOf } from '#services/gym/items/split-bank.ts'
import { fontFamilies } from '#services/gym/picture/fonts.ts'
import { element, specks, svgPicture, text, wholeBox } from '#services/gym/picture/svg.ts'
import { random } from '#services/gym/random.ts'
import type { ItemKind, ItemRequest, Scene } from '#services/gym/items/item.ts'
import type { Random } from '#services/gym/random.ts'

type Level = { readonly gauges: number; readonly parts: number; readonly noise: number }

const levels: readonly Level[] = [
  { gauges: 1, parts: 2, noise: 0 },
  { gauges: 2, parts: 5, noise: 0.3 },
  { gauges: 3, parts: 5, noise: 0.7 },
]

/** `step` between labels, each parted in `parts`; `value` stands on a tick. */
type Gauge = {
  readonly name: string
  readonly form: 'dial' | 'tube'
  readonly unit: string
  readonly first: number
  readonly step: number
  readonly labels: number
  readonly parts: number
  readonly value: number
}

const units = [
  { unit: 'bar', steps: [10, 20], firsts: [0] },
  { unit: 'km/h', steps: [20, 40], firsts: [0] },
  { unit: '%', steps: [20, 10], firsts: [0] },
  { unit: 'V', steps: [10, 50], firsts: [0, 100] },
] as const

/** What a dial or a thermometer shows, on a tick of its scale: after ThinkVL's everyday diagrams. */
export const gauge: ItemKind = {
  kind: 'others/gauge',
  family: 'others',
  dataset: 'stepstore-thinkvl',
  levels,
  make(request) {
    const level = levels[request.level]
    if (level === undefined) throw new RangeError(`others/gauge has levels 0 to ${levels.length - 1}`)
    const stream = [request.split, 'gauge', request.index, request.style] as const
    const values = random(request.seed, ...stream, 'values')
    const form = values.pick(['dial', 'tube'] as const)
    const names = values.shuffle(bankOf(request.split, machines))
    const gauges = Array.from({ length: level.gauges }, (_, place) => gaugeOf(names[place] ?? '', form, level, values))
    const { svg, boxes } = drawnGauges(gauges, level, request)
    const asked = askedOf(gauges, random(request.seed, ...stream, 'question'))
    const evidence = asked.of.map((place) => ({
      what: `${form} of ${gauges[place]?.name ?? ''}`,
      box: boxes[place] ?? [0, 0, 1, 1],
      value: gauges[place]?.value ?? 0,
    }))
    return { svg, question: asked.question, key: asked.key, evidence, scene: { gauges } }
  },
}

function gaugeOf(name: string, form: Gauge['form'], level: Level, values: Random): Gauge {
  const scale = form === 'tube' ? { unit: '°C', steps: [10, 20], firsts: [0, 20] } : values.pick(units)
  const [step, first] = [values.pick<number>(scale.steps), values.pick<number>(scale.firsts)]
  const labels = values.int(5, 8)
  const tick = values.int(2, (labels - 1) * level.parts - 1)
  return {
    name,
    form,
    unit: scale.unit,
    first,
    step,
    labels,
    parts: level.parts,
    value: first + (tick * step) / level.parts,
  }
}

function askedOf(gauges: readonly Gauge[], chance: Random): Pick<Scene, 'question' | 'key'> & { of: number[] } {
  const order = chance.shuffle([...gauges.keys()])
  const [one = 0] = order
  const shown = gauges[one]
  if (shown === undefined) throw new RangeError('there is a gauge')
  if (gauges.length > 1 && chance.chance(0.3)) {
    const [high, ties] = extreme(gauges)
    if (!ties) {
      return {
        question: 'Which of these shows the largest number?',
        key: {
          answer: [gauges[high]?.name ?? ''],
          answer_type: 'choice',
          choices: order.map((place) => gauges[place]?.name ?? ''),
        },
        of: order,
      }
    }
  }
  const thing = shown.form === 'dial' ? 'gauge' : 'thermometer'
  return {
    question: chance.pick([
      `What does the ${thing} of the ${shown.name} show?`,
      `Which value can be read on the ${thing} of the ${shown.name}?`,
    ]),
    key: { answer: [String(shown.value)], answer_type: 'numeric', unit: shown.unit },
    of: [one],
  }
}

function extreme(gauges: readonly Gauge[]): readonly [place: number, ties: boolean] {
  const high = Math.max(...gauges.map((each) => each.value))
  return [gauges.findIndex((each) => each.value === high), gauges.filter((each) => each.value === high).length > 1]
}

type Look = {
  readonly x: number
  readonly family: string
  readonly face: string
  readonly rim: string
  readonly needle: string
  readonly sweep: number
}

const [cell_px, height_px] = [300, 390]

function drawnGauges(gauges: readonly Gauge[], level: Level, request: ItemRequest) {
  const chance = random(request.seed, request.split, 'gauge', request.index, request.style, 'look')
  const unseen = request.style === 'unseen'
  const shared = {
    family: chance.pick(fontFamilies[request.style]),
    face: chance.pick(unseen ? ['#f6f0e2', '#eaf2ee'] : ['#ffffff', '#f7f9fb', '#fcfaf2']),
    rim: chance.pick(unseen ? ['#5c4630', '#3f5f5f'] : ['#2b2b2b', '#2f4f7f', '#555555']),
    needle: chance.pick(unseen ? ['#b0208a', '#c25500'] : ['#d02020', '#1f4fb0', '#c03060']),
    sweep: chance.pick([240, 270]),
  }
  const width = Math.max(340, cell_px * gauges.length + 20)
  const left = (width - cell_px * gauges.length) / 2
  const parts = gauges.map((one, place) => {
    const look: Look = { ...shared, x: left + cell_px * (place + 0.5) }
    const caption = text(one.name, { x: look.x, y: 352, size: 22, family: look.family, weight: 700, anchor: 'middle' })
    return (one.form === 'dial' ? drawnDial(one, look) : drawnTube(one, look)) + caption
  })
  const noise = random(request.seed, request.split, 'gauge', request.index, 'noise')
  return {
    svg: svgPicture(
      width,
      height_px,
      chance.pick(['#ffffff', '#eef1f4', '#f4f0e8']),
      specks(noise, width, height_px, level.noise * 0.4),
      ...parts,
    ),
    boxes: gauges.map((_, place) => wholeBox(left + cell_px * place + 10, 20, left + cell_px * (place + 1) - 10, 330)),
  }
}

function drawnDial(one: Gauge, look: Look): string {
  const [y, radius] = [165, 138]
  const point = (degrees: number, reach: number): readonly [number, number] => [
    look.x + Math.sin((degrees * Math.PI) / 180) * reach,
    y - Math.cos((degrees * Math.PI) / 180) * reach,
  ]
  const stroke = (degrees: number, from: number, to: number, width: number, colour: string): string => {
    const [[x1, y1], [x2, y2]] = [point(degrees, from), point(degrees, to)]
    return element('line', { x1, y1, x2, y2, stroke: colour, 'stroke-width': width })
  }
  const ticks = (one.labels - 1) * one.parts
  const angle = (tick: number): number => -look.sweep / 2 + (tick * look.sweep) / ticks
  const parts = [
    element('circle', { cx: look.x, cy: y, r: radius, fill: look.face, stroke: look.rim, 'stroke-width': 6 }),
  ]
  for (let tick = 0; tick <= ticks; tick++) {
    const main = tick % one.parts === 0
    parts.push(stroke(angle(tick), main ? radius - 24 : radius - 18, radius - 10, main ? 2.6 : 1.4, '#222222'))
    if (!main) continue
    const [x, ty] = point(angle(tick), radius - 43)
    parts.push(
      text(String(one.first + (tick / one.parts) * one.step), {
        x,
        y: ty + 5.8,
        size: 16,
        family: look.family,
        anchor: 'middle',
      }),
    )
  }
  const at = angle(((one.value - one.first) / one.step) * one.parts)
  parts.push(
    text(one.unit, { x: look.x, y: y + 62, size: 17, family: look.family, anchor: 'middle', fill: '#555555' }),
    stroke(at, -18, 72, 4.5, look.needle),
    element('circle', { cx: look.x, cy: y, r: 9, fill: look.needle }),
  )
  return parts.join('')
}

function drawnTube(one: Gauge, look: Look): string {
  const [top, bottom] = [44, 270]
  const ticks = (one.labels - 1) * one.parts
  const y = (tick: number): number => bottom - (tick * (bottom - top)) / ticks
  const x = look.x - 20
  const level = y(((one.value - one.first) / one.step) * one.parts)
  const parts = [
    element('rect', {
      x: x - 11,
      y: top - 18,
      width: 22,
      height: bottom - top + 40,
      rx: 11,
      fill: look.face,
      stroke: look.rim,
      'stroke-width': 2.5,
    }),
    element('circle', { cx: x, cy: bottom + 32, r: 21, fill: look.needle, stroke: look.rim, 'stroke-width': 2.5 }),
    element('rect', { x: x - 6, y: level, width: 12, height: bottom + 30 - level, fill: look.needle }),
  ]
  for (let tick = 0; tick <= ticks; tick++) {
    const main = tick % one.parts === 0
    parts.push(
      element('line', {
        x1: x + 20,
        x2: x + (main ? 38 : 30),
        y1: y(tick),
        y2: y(tick),
        stroke: '#222222',
        'stroke-width': main ? 2.2 : 1.3,
      }),
    )
    if (main)
      parts.push(
        text(String(one.first + (tick / one.parts) * one.step), {
          x: x + 48,
          y: y(tick) + 5.5,
          size: 16,
          family: look.family,
        }),
      )
  }
  parts.push(
    text(one.unit, { x: x - 46, y: top + 6, size: 17, family: look.family, anchor: 'middle', fill: '#555555' }),
  )
  return parts.join('')
}
