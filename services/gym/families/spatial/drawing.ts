import { element, group } from '#services/gym/picture/svg.ts'
import { random } from '#services/gym/random.ts'
import type { ItemRequest, Style } from '#services/gym/items/item.ts'
import { CUBE, CYLINDER, PICTURE, tallness, type Colour, type Solid } from './scene.ts'

type Look = {
  readonly paints: Readonly<Record<Colour, string>>
  readonly grounds: readonly (readonly [far: string, near: string])[]
  /** 1: the light comes from the left; -1: from the right. */
  readonly light: 1 | -1
}

const looks: Readonly<Record<Style, Look>> = {
  ordinary: {
    paints: {
      gray: '#747474',
      red: '#b02a2a',
      blue: '#2f52d4',
      green: '#248a2a',
      brown: '#85501f',
      purple: '#8430c4',
      cyan: '#2cc4c8',
      yellow: '#f2dc2e',
    },
    grounds: [
      ['#d9d6cf', '#efece6'],
      ['#d2d5d8', '#eceef0'],
      ['#dcd3c6', '#f3ece2'],
      ['#d3d8d2', '#edf1ec'],
    ],
    light: 1,
  },
  unseen: {
    paints: {
      gray: '#8a8a8a',
      red: '#d4453c',
      blue: '#3d74e0',
      green: '#4f9e3a',
      brown: '#94592c',
      purple: '#9b59c6',
      cyan: '#38b6cf',
      yellow: '#e6cf38',
    },
    grounds: [
      ['#c9d3de', '#e2eaf2'],
      ['#e3d7df', '#f4ecf1'],
      ['#dedcc8', '#f0efdf'],
    ],
    light: -1,
  },
}

/** The scene as SVG: a ground that is lit from the front, shadows, and solids from the farthest to the nearest. */
export function drawnScene(request: ItemRequest, kind: string, solids: readonly Solid[], tiles: boolean): string {
  const { seed, split, index, level, style } = request
  const chance = random(seed, 'spatial', kind, split, style, level, index, 'look')
  const { paints, grounds, light } = looks[style]
  const [far, near] = chance.pick(grounds)
  const { width, height } = PICTURE
  const defs: string[] = [
    gradient('linearGradient', 'ground', { x1: 0, y1: 0, x2: 0, y2: 1 }, [
      [0, far],
      [0.4, near],
      [1, near],
    ]),
    element(
      'radialGradient',
      { id: 'shadow' },
      element('stop', { offset: 0, 'stop-color': '#000000', 'stop-opacity': 0.2 }),
      element('stop', { offset: 1, 'stop-color': '#000000', 'stop-opacity': 0 }),
    ),
  ]
  const shadows = solids.map(({ size, x, y }) => {
    const tall = tallness(size, y)
    return element('ellipse', {
      cx: x + light * tall * 0.28,
      cy: y - tall * 0.06,
      rx: tall * 0.8,
      ry: tall * 0.26,
      fill: 'url(#shadow)',
    })
  })
  const bodies = solids.map((solid, place) => {
    const isMirrored = chance.chance(0.5)
    return drawnSolid(solid, { id: `s${place}`, paint: paints[solid.colour], light, isMirrored, defs })
  })
  return element(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', width, height, viewBox: `0 0 ${width} ${height}` },
    element('defs', {}, ...defs),
    element('rect', { width, height, fill: 'url(#ground)' }),
    tiles ? tileLines() : '',
    ...shadows,
    ...bodies,
  )
}

type Brush = {
  readonly id: string
  readonly paint: string
  readonly light: 1 | -1
  readonly isMirrored: boolean
  readonly defs: string[]
}

function drawnSolid(solid: Solid, brush: Brush): string {
  if (solid.shape === 'sphere') return sphere(solid, brush)
  return solid.shape === 'cube' ? cube(solid, brush) : cylinder(solid, brush)
}

function sphere({ size, material, x, y }: Solid, { id, paint, light, defs }: Brush): string {
  const radius = tallness(size, y) / 2
  const isMetal = material === 'metal'
  const [dark, bright] = isMetal ? [0.42, 1.15] : [0.62, 1.06]
  const lit = { cx: 0.5 - light * 0.17, cy: 0.33, r: 0.75 }
  defs.push(
    gradient('radialGradient', id, lit, [
      [0, shaded(paint, bright)],
      [0.45, shaded(paint, 0.95)],
      [1, shaded(paint, dark)],
    ]),
  )
  const body = element('circle', { cx: x, cy: y - radius, r: radius, fill: `url(#${id})` })
  if (!isMetal) return body
  const spot = element('ellipse', {
    cx: x - light * radius * 0.34,
    cy: y - radius * 1.42,
    rx: radius * 0.24,
    ry: radius * 0.17,
    fill: '#ffffff',
    'fill-opacity': 0.93,
    transform: `rotate(${light * -35} ${(x - light * radius * 0.34).toFixed(2)} ${(y - radius * 1.42).toFixed(2)})`,
  })
  return group({}, body, spot)
}

function cube({ size, material, x, y }: Solid, { id, paint, light, isMirrored, defs }: Brush): string {
  const tall = tallness(size, y)
  const [face, depth] = [tall * CUBE.face, tall * CUBE.depth]
  // The side that is seen lies on the right, or mirrored on the left.
  const side = isMirrored ? -1 : 1
  const from = x - (side * tall) / 2
  const [a, b, c] = [from, from + side * face, from + side * tall]
  const isMetal = material === 'metal'
  const isLit = side === -light
  defs.push(
    gradient('linearGradient', id, { x1: 0, y1: 0, x2: 1, y2: 1 }, [
      [0, shaded(paint, isMetal ? 1.12 : 1)],
      [1, shaded(paint, isMetal ? 0.68 : 0.86)],
    ]),
  )
  const shape = (points: readonly (readonly [number, number])[], fill: string, opacity?: number): string =>
    element('polygon', {
      points: points.map(([px, py]) => `${px.toFixed(2)},${py.toFixed(2)}`).join(' '),
      fill,
      'fill-opacity': opacity,
    })
  const parts = [
    shape(
      [
        [a, y],
        [b, y],
        [b, y - face],
        [a, y - face],
      ],
      `url(#${id})`,
    ),
    shape(
      [
        [b, y],
        [c, y - depth],
        [c, y - face - depth],
        [b, y - face],
      ],
      shaded(paint, isLit ? 0.78 : 0.6),
    ),
    shape(
      [
        [a, y - face],
        [b, y - face],
        [c, y - face - depth],
        [a + side * depth, y - face - depth],
      ],
      shaded(paint, 1.14),
    ),
  ]
  if (!isMetal) return group({}, ...parts)
  const at = (share: number, up: number): [number, number] => [a + side * face * share, y - face * up]
  return group({}, ...parts, shape([at(0.16, 0.9), at(0.34, 0.9), at(0.2, 0.42), at(0.1, 0.42)], '#ffffff', 0.93))
}

function cylinder({ size, material, x, y }: Solid, { id, paint, light, defs }: Brush): string {
  const tall = tallness(size, y)
  const [half, rim] = [(tall * CYLINDER.width) / 2, tall * CYLINDER.rim]
  const isMetal = material === 'metal'
  const edge = isMetal ? 0.48 : 0.68
  const stops: [number, string][] = [
    [0, shaded(paint, 0.8)],
    [0.3, shaded(paint, isMetal ? 1.15 : 1.03)],
    [1, shaded(paint, edge)],
  ]
  defs.push(
    gradient(
      'linearGradient',
      id,
      light === 1 ? { x1: 0, y1: 0, x2: 1, y2: 0 } : { x1: 1, y1: 0, x2: 0, y2: 0 },
      stops,
    ),
  )
  const [left, right, top, foot] = [x - half, x + half, y - tall + rim, y - rim].map((each) => each.toFixed(2))
  const [rx, ry] = [half.toFixed(2), rim.toFixed(2)]
  const body = element('path', {
    d: `M${left} ${top} L${left} ${foot} A${rx} ${ry} 0 0 0 ${right} ${foot} L${right} ${top} A${rx} ${ry} 0 0 0 ${left} ${top} Z`,
    fill: `url(#${id})`,
  })
  const lid = element('ellipse', { cx: x, cy: y - tall + rim, rx: half, ry: rim, fill: shaded(paint, 1.14) })
  if (!isMetal) return group({}, body, lid)
  const streak = element('rect', {
    x: x - light * half * 0.45 - half * 0.09,
    y: y - tall + rim * 2.7,
    width: half * 0.18,
    height: tall * 0.45,
    rx: half * 0.08,
    fill: '#ffffff',
    'fill-opacity': 0.93,
  })
  return group({}, body, lid, streak)
}

/** Faint joints of floor tiles that run to a point far away. */
function tileLines(): string {
  const { width, height } = PICTURE
  const lines: string[] = []
  for (let place = -6; place <= 6; place++) {
    lines.push(element('line', { x1: width / 2 + place * 26, y1: 70, x2: width / 2 + place * 95, y2: height }))
  }
  for (const y of [86, 108, 138, 178, 232, 300]) lines.push(element('line', { x1: 0, y1: y, x2: width, y2: y }))
  return group({ stroke: '#55504a', 'stroke-opacity': 0.1, 'stroke-width': 1 }, ...lines)
}

function gradient(
  name: 'linearGradient' | 'radialGradient',
  id: string,
  place: Readonly<Record<string, number>>,
  stops: readonly (readonly [number, string])[],
): string {
  return element(
    name,
    { id, ...place },
    ...stops.map(([offset, colour]) => element('stop', { offset, 'stop-color': colour })),
  )
}

/** A colour made darker (below 1) or, above 1, mixed with white. */
function shaded(hex: string, light: number): string {
  const levels = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16))
  const mixed = levels.map((level) => (light <= 1 ? level * light : level + (255 - level) * (light - 1) * 1.6))
  return `#${mixed.map((level) => Math.round(level).toString(16).padStart(2, '0')).join('')}`
}
