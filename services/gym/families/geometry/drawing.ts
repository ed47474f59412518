import { at } from './layout.ts'
import { distance } from './sketch.ts'
import { element, specks, svgPicture, text } from '#services/gym/picture/svg.ts'
import type { Place } from '#services/gym/geometry/figure.ts'
import type { Random } from '#services/gym/random.ts'
import type { Label, Page } from './layout.ts'
import type { Given } from './sketch.ts'

/** The diagram as SVG. */
export function diagramSvg(page: Page, labels: readonly Label[], inPicture: readonly Given[], chance: Random): string {
  const { look, sketch } = page
  const stroke = { stroke: look.ink, 'stroke-width': look.stroke, fill: 'none' }
  const parts: string[] = look.squared ? [squares(page)] : []
  parts.push(specks(chance, look.width, look.height, look.speckled))
  for (const line of sketch.lines) {
    const [from, to] = [at(page, line.charAt(0)), at(page, line.charAt(line.length - 1))]
    parts.push(
      element('line', { x1: from[0], y1: from[1], x2: to[0], y2: to[1], ...stroke, 'stroke-linecap': 'round' }),
    )
  }
  if (page.circle) {
    const { centre, radius } = page.circle
    parts.push(element('circle', { cx: centre[0], cy: centre[1], r: radius, ...stroke }))
    parts.push(element('circle', { cx: centre[0], cy: centre[1], r: Math.max(2.5, look.dot), fill: look.ink }))
  }
  if (look.dot > 0) {
    for (const [x, y] of Object.values(page.places))
      parts.push(element('circle', { cx: x, cy: y, r: look.dot, fill: look.ink }))
  }
  for (const given of inPicture) {
    if (given.measure !== 'angle') continue
    if (given.value === 90) parts.push(cornerMark(page, given.of))
    else if (look.arcs) parts.push(arc(page, given.of))
  }
  for (const label of labels) {
    const { family, size, weight } = look
    const [x, y] = [label.at[0], label.at[1] + size * 0.36]
    parts.push(text(label.text, { x, y, size, family, weight, anchor: 'middle', fill: label.fill }))
  }
  return svgPicture(look.width, look.height, look.ground, ...parts)
}

/** Squared paper, much paler than the ink. */
function squares({ look }: Page): string {
  const lines: string[] = []
  const pale = { stroke: '#8aa4c0', 'stroke-width': 1, 'stroke-opacity': 0.25 }
  for (let x = 20; x < look.width; x += 20)
    lines.push(element('line', { x1: x, y1: 0, x2: x, y2: look.height, ...pale }))
  for (let y = 20; y < look.height; y += 20)
    lines.push(element('line', { x1: 0, y1: y, x2: look.width, y2: y, ...pale }))
  return lines.join('')
}

function arms(page: Page, of: string): readonly [corner: Place, first: Place, second: Place] {
  const [a, corner, c] = of.split('').map((name) => at(page, name)) as [Place, Place, Place]
  const unit = (place: Place): Place => {
    const far = distance(place, corner)
    return [(place[0] - corner[0]) / far, (place[1] - corner[1]) / far]
  }
  return [corner, unit(a), unit(c)]
}

function cornerMark(page: Page, of: string): string {
  const [[x, y], [ux, uy], [vx, vy]] = arms(page, of)
  const side = 13
  const points = [
    [x + side * ux, y + side * uy],
    [x + side * (ux + vx), y + side * (uy + vy)],
    [x + side * vx, y + side * vy],
  ]
  return element('polyline', {
    points: points.map(([px = 0, py = 0]) => `${px.toFixed(2)},${py.toFixed(2)}`).join(' '),
    stroke: page.look.ink,
    'stroke-width': Math.min(1.5, page.look.stroke),
    fill: 'none',
  })
}

function arc(page: Page, of: string): string {
  const [[x, y], [ux, uy], [vx, vy]] = arms(page, of)
  const radius = 15
  const sweep = ux * vy - uy * vx > 0 ? 1 : 0
  const [start, end] = [
    [x + radius * ux, y + radius * uy],
    [x + radius * vx, y + radius * vy],
  ].map(([px = 0, py = 0]) => `${px.toFixed(2)} ${py.toFixed(2)}`)
  const d = `M ${start} A ${radius} ${radius} 0 0 ${sweep} ${end}`
  return element('path', { d, stroke: page.look.ink, 'stroke-width': 1.2, fill: 'none' })
}
