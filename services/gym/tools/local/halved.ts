import type { Pixels } from '#services/gym/tools/tool.ts'

/** The picture at half its size: each pixel is the mean of four. */
export function halved({ width, height, data }: Pixels): Pixels {
  const [wide, high] = [Math.floor(width / 2), Math.floor(height / 2)]
  const out = new Uint8Array(wide * high * 4)
  for (let y = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      const from = (2 * y * width + 2 * x) * 4
      for (let channel = 0; channel < 4; channel++) {
        const at = from + channel
        const below = at + width * 4
        const sum = (data[at] ?? 0) + (data[at + 4] ?? 0) + (data[below] ?? 0) + (data[below + 4] ?? 0)
        out[(y * wide + x) * 4 + channel] = Math.round(sum / 4)
      }
    }
  }
  return { width: wide, height: high, data: out }
}
