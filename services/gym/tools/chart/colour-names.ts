import type { Colour } from './colour-classes.ts'

/** What people call colours: anchors in hue, by how they are found in charts. Nearest in CIELAB wins. */
const names: readonly (readonly [name: string, colour: Colour])[] = [
  ['red', [214, 39, 40]],
  ['red', [200, 20, 60]],
  ['orange', [255, 132, 20]],
  ['gold', [228, 184, 12]],
  ['yellow', [250, 235, 60]],
  ['green', [44, 150, 50]],
  ['dark green', [20, 80, 30]],
  ['lime', [158, 208, 54]],
  ['teal', [16, 158, 150]],
  ['sky blue', [96, 182, 236]],
  ['blue', [36, 92, 204]],
  ['navy', [20, 30, 100]],
  ['purple', [136, 72, 178]],
  ['pink', [236, 122, 186]],
  ['magenta', [214, 20, 170]],
  ['brown', [140, 80, 52]],
  ['beige', [220, 205, 170]],
  ['black', [15, 15, 15]],
  ['dark grey', [70, 70, 74]],
  ['grey', [140, 140, 140]],
  ['light grey', [210, 210, 210]],
  ['white', [252, 252, 252]],
]

const anchors = names.map(([name, colour]) => ({ name, lab: lab(colour) }))

/** What a person calls a colour. */
export function colourName(colour: Colour): string {
  const [l, a, b] = lab(colour)
  let [best, least] = ['grey', Infinity]
  for (const { name, lab: anchor } of anchors) {
    // Hue tells colours apart more than lightness does.
    const away = Math.hypot(0.6 * (l - anchor[0]), a - anchor[1], b - anchor[2])
    if (away < least) [best, least] = [name, away]
  }
  return best
}

export function hexOf(colour: Colour): string {
  return `#${colour.map((level) => level.toString(16).padStart(2, '0')).join('')}`
}

/** sRGB to CIELAB under D65. */
function lab(colour: Colour): readonly [number, number, number] {
  const [red, green, blue] = colour.map((level) => {
    const share = level / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  const f = (t: number): number => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116)
  const x = f((0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047)
  const y = f(0.2126 * red + 0.7152 * green + 0.0722 * blue)
  const z = f((0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883)
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)]
}
