import { angleBetween, distance, numberText } from './sketch.ts'
import { at, clearance, labelBox } from './layout.ts'
import type { Place } from '#services/gym/geometry/figure.ts'
import type { Label, Page } from './layout.ts'
import type { Given, Sketch } from './sketch.ts'

const clearMin = 4

/** May a measure be written into the picture without doubt which line or angle it belongs to? */
export function drawable(sketch: Sketch, { measure, of }: Given): boolean {
  if (measure === 'length')
    return sketch.lines.some((line) => line.includes(of) || line.includes(of.split('').toReversed().join('')))
  const [a = '', vertex = '', c = ''] = of
  const corner = sketch.points[vertex]
  const [first, last] = [sketch.points[a], sketch.points[c]]
  if (!corner || !first || !last) return false
  const whole = angleBetween(first, corner, last)
  return sketch.lines.every((line) =>
    line.split('').every((name) => {
      const place = sketch.points[name]
      if (!place || name === vertex || !line.includes(vertex)) return true
      const [left, right] = [angleBetween(first, corner, place), angleBetween(place, corner, last)]
      return left < 1 || right < 1 || Math.abs(left + right - whole) > 1
    }),
  )
}

/** Places all texts of a page where they touch nothing; null where one finds no room. */
export function placedLabels(bare: Page, inPicture: readonly Given[]): Label[] | null {
  const labels: Label[] = []
  const page = { ...bare, inked: [...bare.inked, ...inPicture.flatMap((given) => markInk(bare, given))] }
  for (const given of inPicture) {
    if (given.measure === 'angle' && given.value === 90) continue
    const label = given.measure === 'angle' ? angleLabel(page, given, labels) : lengthLabel(page, given, labels)
    if (!label) return null
    labels.push(label)
  }
  for (const name of Object.keys(page.places)) {
    const label = pointLabel(page, name, labels)
    if (!label) return null
    labels.push(label)
  }
  return labels
}

function best(
  page: Page,
  text: string,
  fill: string,
  places: readonly Place[],
  labels: readonly Label[],
): Label | null {
  for (const place of places) {
    const box = labelBox(text, place, page.look)
    if (clearance(box, page, labels) >= clearMin) return { text, at: place, box, fill }
  }
  return null
}

/** The letter of a point stands on the far side of the figure if it can, never nearer to another point. */
function pointLabel(page: Page, name: string, labels: readonly Label[]): Label | null {
  const [x, y] = at(page, name)
  const others = Object.keys(page.places).filter((other) => other !== name)
  const middle = others.reduce<Place>(
    (sum, other) => [sum[0] + at(page, other)[0] / others.length, sum[1] + at(page, other)[1] / others.length],
    [0, 0],
  )
  const out = Math.atan2(y - middle[1], x - middle[0])
  const turns = [0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6, 7, -7, 8].map((step) => out + (step * Math.PI) / 8)
  const places = [15, 18, 21, 25].flatMap((far) =>
    turns.map((turn): Place => [x + far * Math.cos(turn), y + far * Math.sin(turn)]),
  )
  const near = places.filter((place) =>
    others.every((other) => distance(place, at(page, other)) > 1.4 * distance(place, [x, y])),
  )
  return best(page, name, page.look.labelInk, near, labels)
}

/** A length stands beside the middle of its line. */
function lengthLabel(page: Page, { of, value, written }: Given, labels: readonly Label[]): Label | null {
  const [a, b] = [at(page, of.charAt(0)), at(page, of.charAt(1))]
  const [dx, dy] = [(b[0] - a[0]) / distance(a, b), (b[1] - a[1]) / distance(a, b)]
  const places = [0, 0.06, -0.06, 0.12, -0.12].flatMap((slide) =>
    [14, 17, 20, 24].flatMap((far) =>
      [1, -1].map((side): Place => {
        const along = slide * distance(a, b)
        const [x, y] = [(a[0] + b[0]) / 2 + dx * along, (a[1] + b[1]) / 2 + dy * along]
        return [x - dy * far * side, y + dx * far * side]
      }),
    ),
  )
  return best(page, written ?? numberText(value), page.look.measureInk, places, labels)
}

/** An angle's measure stands between its arms, as near to the corner as there is room. */
function angleLabel(page: Page, { of, value, written }: Given, labels: readonly Label[]): Label | null {
  const [a, vertex, c] = of.split('').map((name) => at(page, name)) as [Place, Place, Place]
  const unit = ([x, y]: Place): Place => {
    const far = distance([x, y], vertex)
    return [(x - vertex[0]) / far, (y - vertex[1]) / far]
  }
  const [first, second] = [unit(a), unit(c)]
  const sum: Place = [first[0] + second[0], first[1] + second[1]]
  const size = Math.hypot(...sum)
  if (size < 0.1) return null
  const reach = 0.8 * Math.max(distance(a, vertex), distance(c, vertex))
  const places: Place[] = []
  for (let far = 26; far < Math.min(95, reach); far += 3) {
    places.push([vertex[0] + (sum[0] / size) * far, vertex[1] + (sum[1] / size) * far])
  }
  const number = written ?? numberText(value)
  return best(page, `${/[a-z]/.test(number) ? `(${number})` : number}°`, page.look.measureInk, places, labels)
}

/** What the mark of an angle covers: a ring of its radius around the corner, between the arms and a little beyond. */
function markInk(page: Page, { measure, of, value }: Given): Place[] {
  if (measure !== 'angle' || (value !== 90 && !page.look.arcs)) return []
  const [a, vertex, c] = of.split('').map((name) => at(page, name)) as [Place, Place, Place]
  const radius = value === 90 ? 16 : 15
  const start = Math.atan2(a[1] - vertex[1], a[0] - vertex[0])
  const end = Math.atan2(c[1] - vertex[1], c[0] - vertex[0])
  const sweep = Math.atan2(Math.sin(end - start), Math.cos(end - start))
  return Array.from({ length: 12 }, (_, step): Place => {
    const turn = start + (sweep * step) / 11
    return [vertex[0] + radius * Math.cos(turn), vertex[1] + radius * Math.sin(turn)]
  })
}
