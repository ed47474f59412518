import { element, escaped } from '#services/gym/picture/svg.ts'
import { hexOf } from '#services/gym/tools/chart/colour-names.ts'
import { outlineOf } from '#services/gym/tools/chart/outlines.ts'
import { chartParts } from '#services/gym/tools/chart/parts.ts'
import { pictureOf } from './request-picture.ts'
import type { Parts, Piece } from '#services/gym/tools/chart/reading.ts'
import type { LocalTool } from '#services/gym/tools/tool.ts'

/** The most shapes that are given; the largest are kept. */
const shapesMax = 200

type Shape = {
  readonly shape: 'rectangle' | 'circle' | 'polygon'
  readonly colour: string
  readonly box: number[]
  readonly svg: string
}

/** The coloured shapes and the words of a picture as SVG, found by their flat colours. */
export const chartToSvg: LocalTool = async (request, readText) => {
  const parts = await chartParts(pictureOf(request), readText)
  const pieces = [...parts.legend.map(({ swatch }) => swatch), ...parts.pieces]
  const kept = pieces.toSorted((a, b) => b.count - a.count).slice(0, shapesMax)
  const shapes = kept.map((piece) => shapeOf(parts, piece))
  const words = [...parts.words, ...parts.legend.map(({ word }) => word)].map(({ left, bottom, text, top }) =>
    element('text', { x: left, y: bottom, 'font-size': Math.max(8, bottom - top) }, escaped(text)),
  )
  const svg = element(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', width: parts.width, height: parts.height },
    ...shapes.map((shape) => shape.svg),
    ...words,
  )
  return {
    text: svg,
    output: { svg, shapes: shapes.map(({ shape, colour, box }) => ({ shape, colour, box })), texts: words.length },
  }
}

function shapeOf(parts: Parts, piece: Piece): Shape {
  const { left, top, right, bottom, count } = piece
  const fill = hexOf(parts.classes.colours[piece.colour] ?? [0, 0, 0])
  const [width, height] = [right - left, bottom - top]
  const filled = count / (width * height)
  const common = { colour: fill, box: [left, top, right, bottom] }
  if (filled >= 0.94)
    return { ...common, shape: 'rectangle', svg: element('rect', { x: left, y: top, width, height, fill }) }
  if (Math.abs(width - height) <= 2 && Math.abs(filled - Math.PI / 4) < 0.06) {
    const round = { cx: left + width / 2, cy: top + height / 2, r: (width + height) / 4 }
    return { ...common, shape: 'circle', svg: element('circle', { ...round, fill }) }
  }
  const isColour = (x: number, y: number): boolean =>
    x >= left && x < right && y >= top && y < bottom && parts.classes.of[y * parts.width + x] === piece.colour
  const points = outlineOf(piece, isColour).map(([x, y]) => `${x},${y}`)
  return { ...common, shape: 'polygon', svg: element('polygon', { points: points.join(' '), fill }) }
}
