import type { Pixels } from '#services/gym/tools/tool.ts'

export type Rgb = readonly [red: number, green: number, blue: number]

/** The colour of a pixel; black outside the picture. */
export function colourAt({ width, data }: Pixels, x: number, y: number): Rgb {
  const at = (Math.round(y) * width + Math.round(x)) * 4
  return [data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0]
}

/** How far two colours are apart: the largest difference of a channel, 0 to 255. */
export function colourDistance(one: Rgb, other: Rgb): number {
  return Math.max(Math.abs(one[0] - other[0]), Math.abs(one[1] - other[1]), Math.abs(one[2] - other[2]))
}

/** How far a colour is from grey, 0 to 255. */
export function saturation([red, green, blue]: Rgb): number {
  return Math.max(red, green, blue) - Math.min(red, green, blue)
}
