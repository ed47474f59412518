import type { TextRegion } from '#services/gym/tools/tool.ts'

/** A word or line with its place. */
export type Word = {
  readonly text: string
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
  /** Middle. */
  readonly x: number
  readonly y: number
  /** The number that it is, or null. */
  readonly number: number | null
}

/** Values as a straight line over pixels: `value = at + per_pixel * pixel`. */
export type Scale = { readonly at: number; readonly per_pixel: number; readonly ticks: number }

export function wordsOf(regions: readonly TextRegion[]): Word[] {
  return regions
    .map(({ text, box: [left, top, right, bottom] }) => ({
      text: text.trim(),
      left,
      top,
      right,
      bottom,
      x: (left + right) / 2,
      y: (top + bottom) / 2,
      number: numberIn(text),
    }))
    .filter(({ text }) => text !== '')
}

/** The number that a tick or a value label says; letters that look like figures are taken for them. */
export function numberIn(text: string): number | null {
  const plain = text
    .trim()
    .replace(/^[^\d.OoIl|-]+/, '')
    .replace(/[\s%]+$/, '')
    .replaceAll(/[Oo]/g, '0')
    .replaceAll(/[Il|]/g, '1')
    .replaceAll(/(?<=\d)[, ](?=\d{3}(?!\d))/g, '')
  return /^-?\d+(\.\d+)?$/.test(plain) && /\d/.test(text) ? Number(plain) : null
}

/**
 * The line that most ticks agree on to 2.5 pixels, fitted to those; null where fewer than two agree. A known zero
 * (the foot of the bars) counts as a tick where there are few: an axis line covers it by a pixel.
 */
export function scaleOf(
  ticks: readonly { readonly pixel: number; readonly value: number }[],
  zero?: number,
): Scale | null {
  const points = zero === undefined || ticks.length >= 4 ? [...ticks] : [...ticks, { pixel: zero, value: 0 }]
  let best: { pixel: number; value: number }[] = []
  for (const [place, a] of points.entries()) {
    for (const b of points.slice(place + 1)) {
      if (a.value === b.value || Math.abs(a.pixel - b.pixel) < 8) continue
      const pixels = (b.pixel - a.pixel) / (b.value - a.value)
      const agreeing = points.filter(
        ({ pixel, value }) => Math.abs(a.pixel + (value - a.value) * pixels - pixel) <= 2.5,
      )
      if (agreeing.length > best.length) best = agreeing
    }
  }
  if (best.length < 2) return null
  const [pixel, value] = [mean(best.map((point) => point.pixel)), mean(best.map((point) => point.value))]
  const across = best.reduce((sum, point) => sum + (point.pixel - pixel) * (point.value - value), 0)
  const along = best.reduce((sum, point) => sum + (point.pixel - pixel) ** 2, 0)
  if (along === 0 || across === 0) return null
  const perPixel = across / along
  return { at: value - perPixel * pixel, per_pixel: perPixel, ticks: best.length }
}

/** Words put together whose `key` is within `reach` of one another, the largest group first. */
export function alignedGroups(words: readonly Word[], key: (word: Word) => number, reach: number): Word[][] {
  const groups: Word[][] = []
  for (const word of words.toSorted((a, b) => key(a) - key(b))) {
    const last = groups.at(-1)?.at(-1)
    if (last !== undefined && key(word) - key(last) <= reach) groups.at(-1)?.push(word)
    else groups.push([word])
  }
  return groups.toSorted((a, b) => b.length - a.length)
}

export function mean(numbers: readonly number[]): number {
  return numbers.length === 0 ? Number.NaN : numbers.reduce((sum, each) => sum + each, 0) / numbers.length
}
