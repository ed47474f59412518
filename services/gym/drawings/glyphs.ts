import { inkOf } from './ink.ts'
import { decodedPng } from '#services/gym/picture/decode.ts'
import { fontFamilies } from '#services/gym/picture/fonts.ts'
import { renderedPng } from '#services/gym/picture/render.ts'
import { svgPicture, text } from '#services/gym/picture/svg.ts'
import type { Ink } from './ink.ts'
import type { Box } from '#services/gym/items/item.ts'

/** How a glyph looks: its box filled by darkness, its shape, and its height beside a capital letter. */
type Shape = { readonly grid: Float32Array; readonly aspect: number; readonly tall: number; readonly rise: number }

type Model = Shape & { readonly letter: string }

/** What a glyph may be, surest first. `doubt` is a distance: under 0.05 is sure, over 0.15 is a guess. */
export type Reading = { readonly letter: string; readonly doubt: number }

const [columns, rows] = [14, 18] as const

/** All that labels of diagrams are written with. */
export const glyphAlphabet = 'ABCDEFGHKLMNOPQRSTUVWXYZ0123456789x+-.°()ΩR='

/** The ordinary fonts and a serif that no picture is drawn in; the fonts of the unseen style are not among them. */
const modelFonts = [...fontFamilies.ordinary, 'DejaVu Serif'] as const

let models: readonly Model[] | undefined

/**
 * Reads one glyph by comparing it with the letters of known fonts, which are drawn once for it; `capital` is the
 * height of a capital letter and `baseline` the foot of the line, in pixels. Fonts of the unseen style have no model.
 */
export function readGlyph(ink: Ink, box: Box, line: { capital: number; baseline: number }, allowed: string): Reading[] {
  models ??= drawnModels()
  const shape = shapeOf(ink, box, line)
  const best = new Map<string, number>()
  for (const model of models) {
    if (!allowed.includes(model.letter)) continue
    const doubt = distanceOf(shape, model)
    if (doubt < (best.get(model.letter) ?? Infinity)) best.set(model.letter, doubt)
  }
  return [...best].map(([letter, doubt]) => ({ letter, doubt })).toSorted((left, right) => left.doubt - right.doubt)
}

function distanceOf(shape: Shape, model: Shape): number {
  let sum = 0
  for (let cell = 0; cell < shape.grid.length; cell++) sum += ((shape.grid[cell] ?? 0) - (model.grid[cell] ?? 0)) ** 2
  const aspect = Math.log(shape.aspect / model.aspect)
  return (
    sum / shape.grid.length +
    0.25 * aspect * aspect +
    0.6 * (shape.tall - model.tall) ** 2 +
    0.3 * (shape.rise - model.rise) ** 2
  )
}

function shapeOf(ink: Ink, [left, top, right, bottom]: Box, line: { capital: number; baseline: number }): Shape {
  const [width, height] = [right - left, bottom - top]
  const grid = new Float32Array(columns * rows)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      grid[row * columns + column] = darkness(
        ink,
        left + ((column + 0.5) * width) / columns - 0.5,
        top + ((row + 0.5) * height) / rows - 0.5,
      )
    }
  }
  const most = Math.max(0.01, ...grid)
  return {
    grid: grid.map((value) => value / most),
    aspect: width / height,
    tall: height / line.capital,
    rise: (line.baseline - bottom) / line.capital,
  }
}

/** Darkness between pixel middles, 0 to 1. */
function darkness({ width, height, strength }: Ink, x: number, y: number): number {
  const [x0, y0] = [Math.max(0, Math.floor(x)), Math.max(0, Math.floor(y))]
  const [fx, fy] = [Math.max(0, x - x0), Math.max(0, y - y0)]
  const value = (column: number, row: number): number =>
    (strength[Math.min(height - 1, row) * width + Math.min(width - 1, column)] ?? 0) / 255
  const above = value(x0, y0) * (1 - fx) + value(x0 + 1, y0) * fx
  const below = value(x0, y0 + 1) * (1 - fx) + value(x0 + 1, y0 + 1) * fx
  return above * (1 - fy) + below * fy
}

/** Draws the alphabet in the ordinary fonts and keeps what each letter looks like, large and at label size. */
function drawnModels(): Model[] {
  const found: Model[] = []
  for (const family of modelFonts) {
    for (const weight of [400, 700] as const) {
      for (const size of [18, 40]) found.push(...rowOfModels(family, weight, size))
    }
  }
  return found
}

function rowOfModels(family: string, weight: 400 | 700, size: number): Model[] {
  const [cell, baseline] = [size * 2, size * 1.5]
  const letters = glyphAlphabet.split('')
  const drawn = letters.map((letter, place) =>
    text(letter, { x: (place + 0.5) * cell, y: baseline, size, family, weight, anchor: 'middle', fill: '#000000' }),
  )
  const picture = renderedPng(svgPicture(cell * letters.length, size * 2, '#ffffff', ...drawn))
  const ink = inkOf(decodedPng(picture.bytes))
  const boxes = letters.map((_, place) => boxIn(ink, place * cell, (place + 1) * cell))
  const high = boxes[letters.indexOf('H')]
  const capital = high ? high[3] - high[1] : size * 0.72
  return letters.flatMap((letter, place) => {
    const box = boxes[place]
    return box ? [{ letter, ...shapeOf(ink, box, { capital, baseline: high?.[3] ?? baseline }) }] : []
  })
}

function boxIn(ink: Ink, from: number, to: number): Box | null {
  let box: [number, number, number, number] | null = null
  for (const { left, top, right, bottom } of ink.areas) {
    if (left < from || right > to) continue
    box = box
      ? [Math.min(box[0], left), Math.min(box[1], top), Math.max(box[2], right), Math.max(box[3], bottom)]
      : [left, top, right, bottom]
  }
  return box
}
