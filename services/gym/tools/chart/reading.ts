import type { Box } from '#services/gym/items/item.ts'
import type { Colour, ColourClasses } from './colour-classes.ts'
import type { Word } from './words.ts'

export type ReadForm =
  | 'bars'
  | 'horizontal_bars'
  | 'grouped_bars'
  | 'stacked_bars'
  | 'lines'
  | 'dots'
  | 'pie'
  | 'donut'
  | 'unknown'

/** One value as it was found in the picture. */
export type ReadMark = {
  readonly series: number
  readonly category: number
  readonly value: number
  readonly box: Box
  readonly colour: Colour
}

/** A chart as read from pixels. `values[series][category]` is null where nothing was found. */
export type ChartReading = {
  readonly form: ReadForm
  readonly title: string
  readonly axis_title: string
  readonly categories: readonly string[]
  readonly series: readonly { readonly name: string; readonly colour: Colour | null }[]
  readonly values: readonly (readonly (number | null)[])[]
  readonly marks: readonly ReadMark[]
  /** The value axis: its ends as far as ticks were read, or null. */
  readonly axis: { readonly from: number; readonly to: number } | null
}

/** An area of one mark colour. */
export type Piece = {
  readonly colour: number
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
  readonly count: number
}

/** An entry of the legend: a swatch and the word beside it. */
export type LegendEntry = { readonly colour: number; readonly word: Word; readonly swatch: Piece }

/** What the readers of each form work on. */
export type Parts = {
  readonly width: number
  readonly height: number
  readonly classes: ColourClasses
  /** Pieces that are not of the legend. */
  readonly pieces: readonly Piece[]
  readonly legend: readonly LegendEntry[]
  /** Words that are not of the legend. */
  readonly words: readonly Word[]
}

/** What a form's reader finds; the title and the like are added to it. */
export type FoundMarks = Pick<ChartReading, 'form' | 'categories' | 'series' | 'marks' | 'axis'>

export function pieceBox({ left, top, right, bottom }: Piece): Box {
  return [left, top, right, bottom]
}

/** A value rounded to what a pixel can tell. */
export function toPixelPrecision(value: number, perPixel: number): number {
  const decimals = Math.max(0, Math.min(6, Math.ceil(-Math.log10(Math.abs(perPixel) || 1))))
  return Number(value.toFixed(decimals))
}
