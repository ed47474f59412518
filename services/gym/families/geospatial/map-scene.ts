import { countryNames, measures, regionNames } from './names.ts'
import { mapShapes } from './map-shape.ts'
import { bankOf } from '#services/gym/items/split-bank.ts'
import { fontFamilies } from '#services/gym/picture/fonts.ts'
import { textWidth } from '#services/gym/picture/svg.ts'
import { random } from '#services/gym/random.ts'
import type { Shape } from './map-shape.ts'
import type { ItemRequest, Style } from '#services/gym/items/item.ts'

export type MapLevel = { readonly regions: number; readonly classes: number; readonly clutter: number }

export const mapLevels: readonly MapLevel[] = [
  { regions: 6, classes: 3, clutter: 0 },
  { regions: 9, classes: 4, clutter: 0 },
  { regions: 12, classes: 5, clutter: 0.5 },
  { regions: 15, classes: 6, clutter: 1 },
]

export type MapRegion = {
  readonly name: string
  /** Which class of the legend it is in, lowest first. */
  readonly class: number
  readonly shape: Shape
}

export type MapLook = {
  readonly family: string
  readonly size: number
  readonly palette: readonly string[]
  readonly border: string
  readonly sea: string
  readonly legend: 'right' | 'left' | 'bottom'
  readonly legendDown: boolean
  readonly titleFirst: boolean
}

/** A choropleth map as data: what is drawn, and what questions rest on. */
export type MapScene = {
  readonly width: number
  readonly height: number
  /** Where the land begins. */
  readonly origin: readonly [x: number, y: number]
  readonly country: string
  readonly measure: string
  readonly unit: string
  /** As the legend writes them, lowest first. */
  readonly classes: readonly string[]
  readonly regions: readonly MapRegion[]
  readonly look: MapLook
}

/** Light to dark, all light enough for dark letters; two more for the unseen style. */
const palettes: Readonly<Record<Style, readonly (readonly string[])[]>> = {
  ordinary: [
    ['#f1eef6', '#d4cbe5', '#b9a8d6', '#f2c879', '#e8a06a', '#c98a8a'],
    ['#edf8e9', '#c7e9c0', '#8fcf8a', '#5fb0a0', '#6fa8dc', '#b0a0d8'],
    ['#fff4d6', '#fdd08a', '#f9a765', '#ee8080', '#d58ec0', '#a99be0'],
    ['#e3f0fa', '#b8d8f0', '#86bce4', '#62c8b4', '#a8d06a', '#e8d05a'],
  ],
  unseen: [
    ['#fbe9e2', '#f0bfae', '#e09078', '#c8b070', '#98b884', '#70b0b8'],
    ['#e8f4f4', '#b0dede', '#78c4cc', '#98b0e0', '#c8a0d8', '#f0a0b8'],
  ],
}

/** Draws the data of a map; every name fits into its region. */
export function mapScene(request: ItemRequest, kind: string): MapScene {
  const level = mapLevels[request.level]
  if (level === undefined) throw new RangeError(`${kind} has levels 0 to ${mapLevels.length - 1}`)
  const stream = [request.split, kind, request.index, request.style] as const
  const layout = random(request.seed, ...stream, 'layout')
  const values = random(request.seed, ...stream, 'values')
  const look = mapLook(request, level)
  const [width, height] = look.legend === 'bottom' ? [680, 600] : [800, 540]
  const landWidth = 620
  const landHeight = look.legend === 'bottom' ? 430 : 450
  for (let attempt = 0; attempt < 40; attempt++) {
    const [columns, rows] = level.regions <= 6 ? [4, 4] : level.regions <= 12 ? [5, 5] : [5, 5]
    const shapes = mapShapes({
      seed: [request.seed, ...stream, attempt].join('/'),
      width: landWidth,
      height: landHeight,
      columns,
      rows,
      count: level.regions,
      bend: 0.05 + layout.next() * 0.06,
    })
    const names = values.shuffle(bankOf(request.split, regionNames)).slice(0, shapes.length)
    if (shapes.some((shape, place) => !fits(shape, names[place] ?? '', look))) continue
    const measure = values.pick(measures)
    const step = values.pick(measure.steps)
    const first = values.int(0, 3) * step
    const classes = Array.from({ length: level.classes }, (_, place) => {
      const from = first + place * step
      return `${from} - ${from + step - 1}`
    })
    // Each class is used, so that no colour of the legend is without a region.
    const used = values.shuffle([
      ...classes.keys(),
      ...shapes.slice(classes.length).map(() => values.int(0, classes.length)),
    ])
    return {
      width,
      height,
      origin: [look.legend === 'left' ? width - landWidth - 4 : 10, 74],
      country: values.pick(bankOf(request.split, countryNames)),
      measure: measure.name,
      unit: measure.unit,
      classes,
      regions: shapes.map((shape, place) => ({ name: names[place] ?? '', class: used[place] ?? 0, shape })),
      look,
    }
  }
  throw new RangeError(`no map in 40 attempts whose names fit: ${JSON.stringify(request)}`)
}

function mapLook(request: ItemRequest, level: MapLevel): MapLook {
  const chance = random(request.seed, request.split, request.index, request.style, 'map-look')
  const palette = chance.pick(palettes[request.style])
  const start = chance.int(0, palette.length - level.classes + 1)
  return {
    family: chance.pick(fontFamilies[request.style]),
    size: 14 + chance.int(0, 3) * 0.5,
    palette: palette.slice(start, start + level.classes),
    border: chance.pick(['#555555', '#444a55', '#6a5a4a', '#333333']),
    sea: chance.pick(['#ffffff', '#fafafa', '#f4f8fc', '#fdfbf5']),
    legend: chance.pick(['right', 'left', 'bottom', 'right'] as const),
    legendDown: chance.chance(0.5),
    titleFirst: chance.chance(0.6),
  }
}

/** Whether the name, with air about it, lies inside the region's outline. */
function fits(shape: Shape, name: string, look: MapLook): boolean {
  const half = textWidth(name, { size: look.size, family: look.family }) / 2 + 7
  const [x, y] = shape.centre
  return [-1, -0.33, 0.33, 1].every((across) =>
    [-0.8, 0.8].every((down) => inside(shape.outline, x + across * half, y + down * look.size)),
  )
}

function inside(outline: Shape['outline'], x: number, y: number): boolean {
  let within = false
  for (const [at, one] of outline.entries()) {
    const two = outline[(at + 1) % outline.length] ?? one
    const crosses = one[1] > y !== two[1] > y
    if (crosses && x < one[0] + ((two[0] - one[0]) * (y - one[1])) / (two[1] - one[1])) within = !within
  }
  return within
}
