import type { DiagramLabel } from '#services/gym/drawings/labels.ts'
import type { Spot } from '#services/gym/drawings/strokes.ts'

type Places = Readonly<Record<string, Spot>>

/** An angle of neighbouring rays at a point, with the directions of its arms and of its middle, in radians. */
type Wedge = {
  readonly name: string
  readonly corner: Spot
  readonly from: number
  readonly width: number
  readonly reach: number
}

const expression = /^(?:\d+(?:\.\d+)?|\d*x(?:[+-]\d+)?)$/

/** The measures that are written in a picture, and the marks of right angles, as literals. */
export function measureLiterals(
  labels: readonly DiagramLabel[],
  places: Places,
  lines: readonly string[],
  isInk: (x: number, y: number) => boolean,
): string[] {
  const wedges = wedgesOf(places, lines)
  const found: string[] = []
  for (const label of labels) {
    if (/^[A-Z]$/.test(label.text)) continue
    const middle: Spot = [(label.box[0] + label.box[2]) / 2, (label.box[1] + label.box[3]) / 2]
    const written = label.text.replaceAll(/[()°]/g, '')
    if (!expression.test(written)) continue
    if (label.text.endsWith('°')) {
      const wedge = wedgeAt(wedges, middle)
      if (wedge) found.push(`Equal(MeasureOfAngle(${wedge.name}),${written})`)
    } else {
      const line = lineAt(places, lines, middle)
      if (line !== null) found.push(`Equal(LengthOfLine(${line}),${written})`)
    }
  }
  for (const wedge of wedges) if (isRightMark(wedge, isInk)) found.push(`Equal(MeasureOfAngle(${wedge.name}),90)`)
  return [...new Set(found)]
}

function wedgesOf(places: Places, lines: readonly string[]): Wedge[] {
  return Object.entries(places).flatMap(([name, corner]) => {
    const rays = lines.flatMap((line) => {
      const at = line.indexOf(name)
      const next = at < 0 ? [] : [line[at - 1], line[at + 1]]
      return next.flatMap((other) => {
        const place = other === undefined ? undefined : places[other]
        if (other === undefined || !place) return []
        const far = Math.hypot(place[0] - corner[0], place[1] - corner[1])
        return [{ other, far, turn: Math.atan2(place[1] - corner[1], place[0] - corner[0]) }]
      })
    })
    const sorted = rays.toSorted((a, b) => a.turn - b.turn)
    return sorted.flatMap((ray, place) => {
      const next = sorted[(place + 1) % sorted.length]
      if (!next || next.other === ray.other) return []
      const width = (next.turn - ray.turn + 4 * Math.PI) % (2 * Math.PI)
      if (width > Math.PI * 0.985) return []
      return [
        { name: `${ray.other}${name}${next.other}`, corner, from: ray.turn, width, reach: Math.max(ray.far, next.far) },
      ]
    })
  })
}

/** The angle in whose middle a place lies, the nearest corner first. */
function wedgeAt(wedges: readonly Wedge[], [x, y]: Spot): Wedge | null {
  let [best, least]: [Wedge | null, number] = [null, 140]
  for (const wedge of wedges) {
    const turn = (Math.atan2(y - wedge.corner[1], x - wedge.corner[0]) - wedge.from + 4 * Math.PI) % (2 * Math.PI)
    const far = Math.hypot(x - wedge.corner[0], y - wedge.corner[1])
    if (turn > wedge.width || far > Math.min(110, wedge.reach)) continue
    const aside = Math.abs(turn - wedge.width / 2) * far
    if (far + 4 * aside < least) [best, least] = [wedge, far + 4 * aside]
  }
  return best
}

/** The piece of a line, between neighbouring points, whose middle is nearest. */
function lineAt(places: Places, lines: readonly string[], [x, y]: Spot): string | null {
  let [best, least]: [string | null, number] = [null, 60]
  for (const line of lines) {
    for (let at = 0; at + 1 < line.length; at++) {
      const [a, b] = [places[line.charAt(at)], places[line.charAt(at + 1)]]
      if (!a || !b) continue
      const far = Math.hypot(b[0] - a[0], b[1] - a[1])
      const [dx, dy] = [(b[0] - a[0]) / far, (b[1] - a[1]) / far]
      const along = (x - a[0]) * dx + (y - a[1]) * dy - far / 2
      const aside = Math.abs((y - a[1]) * dx - (x - a[0]) * dy)
      if (aside > 45 || Math.abs(along) > 0.3 * far) continue
      if (aside + 0.8 * Math.abs(along) < least) [best, least] = [line.slice(at, at + 2), aside + 0.8 * Math.abs(along)]
    }
  }
  return best
}

/** A small square in the corner, 9 to 18 pixels wide, in an angle between 82 and 98 degrees. */
function isRightMark({ corner, from, width }: Wedge, isInk: (x: number, y: number) => boolean): boolean {
  if (Math.abs(width - Math.PI / 2) > 0.14) return false
  const [ux, uy, vx, vy] = [Math.cos(from), Math.sin(from), Math.cos(from + width), Math.sin(from + width)]
  for (let side = 9; side <= 18; side++) {
    let [hits, all] = [0, 0]
    for (let step = 4; step <= side; step++) {
      all += 2
      if (isInk(corner[0] + side * ux + step * vx, corner[1] + side * uy + step * vy)) hits++
      if (isInk(corner[0] + step * ux + side * vx, corner[1] + step * uy + side * vy)) hits++
    }
    if (hits >= 0.93 * all) return true
  }
  return false
}
