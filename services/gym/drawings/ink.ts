import { maskAreas } from '#services/gym/tools/local/flat-areas.ts'
import type { Area } from '#services/gym/tools/local/flat-areas.ts'
import type { Pixels } from '#services/gym/tools/tool.ts'

/** What is drawn on a ground of one colour. */
export type Ink = {
  readonly width: number
  readonly height: number
  /** How far a pixel is from the ground, 0 to 255: the greatest difference of a channel. */
  readonly strength: Uint8Array
  /** 1 where the strength is at least the threshold. */
  readonly mask: Uint8Array
  readonly areas: readonly Area[]
  /** The area of each pixel, -1 for the ground. */
  readonly label: Int32Array
}

/** Squared paper and specks stay under it (at most 61), thin lines of dark ink above (137 and more). */
const threshold = 80

/** Parts the ink from the ground, which is the most common colour. */
export function inkOf(pixels: Pixels): Ink {
  const { width, height, data } = pixels
  const [r, g, b] = groundOf(pixels)
  const strength = new Uint8Array(width * height)
  const mask = new Uint8Array(width * height)
  for (let pixel = 0, at = 0; pixel < strength.length; pixel++, at += 4) {
    const far = Math.max(
      Math.abs((data[at] ?? 0) - r),
      Math.abs((data[at + 1] ?? 0) - g),
      Math.abs((data[at + 2] ?? 0) - b),
    )
    strength[pixel] = far
    if (far >= threshold) mask[pixel] = 1
  }
  return { width, height, strength, mask, ...maskAreas(mask, width, height) }
}

/** The most common colour; counted in steps of 8, then averaged over its step. */
export function groundOf({ data }: Pixels): readonly [number, number, number] {
  const counts = new Map<number, [count: number, r: number, g: number, b: number]>()
  for (let at = 0; at < data.length; at += 4) {
    const [r = 0, g = 0, b = 0] = [data[at], data[at + 1], data[at + 2]]
    const key = ((r >> 3) << 10) | ((g >> 3) << 5) | (b >> 3)
    const seen = counts.get(key)
    if (!seen) counts.set(key, [1, r, g, b])
    else {
      seen[0]++
      seen[1] += r
      seen[2] += g
      seen[3] += b
    }
  }
  const [count, r, g, b] = [...counts.values()].reduce((most, next) => (next[0] > most[0] ? next : most), [0, 0, 0, 0])
  return count === 0 ? [255, 255, 255] : [r / count, g / count, b / count]
}

/** Is there ink within `reach` pixels of a place? */
export function inked(
  { width, height, mask }: Pick<Ink, 'width' | 'height' | 'mask'>,
  x: number,
  y: number,
  reach: number,
): boolean {
  const [fromX, toX] = [Math.max(0, Math.round(x - reach)), Math.min(width - 1, Math.round(x + reach))]
  const [fromY, toY] = [Math.max(0, Math.round(y - reach)), Math.min(height - 1, Math.round(y + reach))]
  for (let row = fromY; row <= toY; row++) {
    for (let column = fromX; column <= toX; column++) if (mask[row * width + column] === 1) return true
  }
  return false
}
