import { maskAreas } from '#services/gym/tools/local/flat-areas.ts'
import { colourClasses, withoutMarks } from './colour-classes.ts'
import { wordsOf, type Word } from './words.ts'
import type { Pixels, ReadText } from '#services/gym/tools/tool.ts'
import type { ColourClasses } from './colour-classes.ts'
import type { LegendEntry, Parts, Piece } from './reading.ts'

/** Takes a picture apart: its coloured pieces, its legend, and the words that are not of the legend. */
export async function chartParts(pixels: Pixels, readText: ReadText): Promise<Parts> {
  const classes = colourClasses(pixels)
  const all = coloredPieces(pixels, classes)
  // Marks are painted over first: a swatch would be read as a letter of the word beside it.
  const words = wordsOf(await readText(withoutMarks(pixels, classes)))
  const legend = legendOf(all, words)
  const swatches = new Set(legend.map(({ swatch }) => swatch))
  const named = new Set(legend.map(({ word }) => word))
  const known = new Set(legend.map(({ colour }) => colour))
  const pieces = all.filter(
    (piece) => !swatches.has(piece) && piece.count >= 12 && (known.size === 0 || known.has(piece.colour)),
  )
  return {
    width: pixels.width,
    height: pixels.height,
    classes,
    pieces,
    legend,
    words: words.filter((word) => !named.has(word)),
  }
}

function coloredPieces({ width, height }: Pixels, classes: ColourClasses): Piece[] {
  return classes.colours.flatMap((_, colour) => {
    const mask = new Uint8Array(classes.of.length)
    for (let pixel = 0; pixel < mask.length; pixel++) if (classes.of[pixel] === colour) mask[pixel] = 1
    return maskAreas(mask, width, height)
      .areas.filter(({ count }) => count >= 8)
      .map((area) => ({ ...area, colour }))
  })
}

/** Swatches of one size, each with a word on its right. One alone counts only if it is a line's sample. */
function legendOf(pieces: readonly Piece[], words: readonly Word[]): LegendEntry[] {
  const entries = pieces.flatMap((swatch): LegendEntry[] => {
    const [wide, tall] = [swatch.right - swatch.left, swatch.bottom - swatch.top]
    const isSquare = wide >= 9 && wide <= 16 && tall >= 9 && tall <= 16
    const isSample = wide >= 15 && wide <= 24 && tall >= 3 && tall <= 7
    if (!(isSquare || isSample) || swatch.count < 0.7 * wide * tall) return []
    const middle = (swatch.top + swatch.bottom) / 2
    // A soft rim of the swatch may be taken for the beginning of its word.
    const beside = words
      .filter(
        (word) => word.left - swatch.right >= -2 && word.left - swatch.right <= 22 && Math.abs(word.y - middle) <= 8,
      )
      .toSorted((a, b) => a.left - b.left)[0]
    return beside === undefined || (beside.number !== null && !isSample)
      ? []
      : [{ colour: swatch.colour, word: beside, swatch }]
  })
  const sizes = entries.map(({ swatch }) => swatch.bottom - swatch.top).toSorted((a, b) => a - b)
  const usual = sizes[Math.floor(sizes.length / 2)] ?? 0
  const alike = entries.filter(({ swatch }) => Math.abs(swatch.bottom - swatch.top - usual) <= 2)
  const first = alike.filter((entry, place) => alike.findIndex(({ colour }) => colour === entry.colour) === place)
  if (first.length < 2 && usual > 7) return []
  // In reading order: a legend above or below has rows.
  const row = ({ swatch }: LegendEntry): number => Math.round(swatch.top / 10)
  return first.toSorted((a, b) => row(a) - row(b) || a.swatch.left - b.swatch.left)
}
