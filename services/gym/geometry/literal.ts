import { parsedTerm } from './term.ts'
import type { CircleFact, Figure, Place, PolygonFact } from './figure.ts'
import type { Term } from './term.ts'

type Call = Extract<Term, { op: 'call' }>

/** Names of Inter-GPS and the names that are used here, which are those of FormalGeo. */
const otherNames: Readonly<Record<string, string>> = {
  Equals: 'Equal',
  Find: 'Value',
  LengthOf: 'LengthOfLine',
  MeasureOf: 'MeasureOfAngle',
  Parallel: 'ParallelBetweenLine',
  Perpendicular: 'PerpendicularBetweenLine',
  IsMidpointOf: 'IsMidpointOfLine',
  Tangent: 'IsTangentOfCircle',
  RadiusOf: 'RadiusOfCircle',
  BisectsAngle: 'IsBisectorOfAngle',
  Quadrilateral: 'Polygon',
}

/** Kinds of shapes with properties of their own. */
export const polygonKinds = [
  'Triangle',
  'Polygon',
  'Parallelogram',
  'Rectangle',
  'Rhombus',
  'Square',
  'Trapezoid',
] as const

/** Reads a literal of either notation and gives it in the notation of FormalGeo. */
export function readLiteral(text: string): Term {
  return formal(parsedTerm(text))
}

function formal(term: Term): Term {
  if (term.op === 'number' || term.op === 'name') return term
  if (term.op !== 'call') return { ...term, left: formal(term.left), right: formal(term.right) }
  const args = term.args.map(formal)
  const joinedNames = args.every((arg) => arg.op === 'name' && /^[A-Z]$/.test(arg.name))
    ? args.map((arg) => (arg.op === 'name' ? arg.name : '')).join('')
    : null
  if (['Line', 'Angle', 'Circle', 'Point'].includes(term.name) && joinedNames !== null) {
    return { op: 'name', name: joinedNames }
  }
  if (term.name === 'AreaOf' || term.name === 'PerimeterOf') return measureOfShape(term.name, args[0])
  const name = otherNames[term.name] ?? term.name
  if (polygonKinds.some((kind) => kind === name) && joinedNames !== null) {
    return { op: 'call', name, args: [{ op: 'name', name: joinedNames }] }
  }
  if (name === 'PointLiesOnCircle') return { op: 'call', name: 'Cocircular', args: args.toReversed() }
  return { op: 'call', name, args }
}

function measureOfShape(name: string, shape: Term | undefined): Term {
  if (shape?.op === 'call') return { op: 'call', name: `${name}${shape.name}`, args: shape.args }
  return { op: 'call', name: `${name}Circle`, args: shape ? [shape] : [] }
}

/** The point names of an argument such as AB; empty for anything else. */
export function pointsOf(term: Term | undefined): string[] {
  return term?.op === 'name' && /^[A-Z]+$/.test(term.name) ? term.name.split('') : []
}

/** The diagram that literals describe; literals that it does not know add nothing. */
export function figureOf(literals: readonly Term[], places: ReadonlyMap<string, Place>): Figure {
  const runs: string[][] = []
  const circles = new Map<string, Set<string>>()
  const polygons: PolygonFact[] = []
  for (const literal of literals) visit(literal)
  const lines = mergedLines(runs)
  const points = new Set<string>([...places.keys(), ...lines.flat()])
  for (const [centre, on] of circles) for (const point of [centre, ...on]) points.add(point)
  return {
    points: [...points].toSorted(),
    places,
    lines,
    circles: [...circles].map(([centre, on]): CircleFact => ({ centre, points: [...on].toSorted() })),
    polygons,
  }

  function visit(term: Term): void {
    if (term.op === 'number' || term.op === 'name') return
    if (term.op !== 'call') return [term.left, term.right].forEach(visit)
    visitCall(term)
    term.args.forEach(visit)
  }
  function visitCall({ name, args }: Call): void {
    const lists = args.map(pointsOf)
    const [first = [], second = []] = lists
    if (name === 'Collinear' && first.length > 1) runs.push(first)
    if (name === 'PointLiesOnLine' && second.length === 2) runs.push([second[0] ?? '', first[0] ?? '', second[1] ?? ''])
    if (name === 'IsMidpointOfLine' && second.length === 2)
      runs.push([second[0] ?? '', first[0] ?? '', second[1] ?? ''])
    if (['Shape', 'Line', 'LengthOfLine', 'ParallelBetweenLine', 'PerpendicularBetweenLine'].includes(name)) {
      for (const pair of lists) if (pair.length === 2) runs.push(pair)
    }
    if (name === 'Line' && first.length === 1 && second.length === 1) runs.push([...first, ...second])
    if (name === 'MeasureOfAngle' && first.length === 3) runs.push(first.slice(0, 2), first.slice(1))
    if (name === 'Cocircular' || name === 'Circle') addToCircle(first[0], second)
    if (name === 'Shape') polygons.push({ kind: 'Polygon', points: lists.flatMap(([start]) => (start ? [start] : [])) })
    if (polygonKinds.some((kind) => kind === name) && first.length > 2) addPolygon(name, first)
  }
  function addToCircle(centre: string | undefined, on: readonly string[]): void {
    if (centre === undefined) return
    circles.set(centre, new Set([...(circles.get(centre) ?? []), ...on]))
  }
  function addPolygon(kind: string, points: readonly string[]): void {
    polygons.push({ kind, points })
    for (const [place, point] of points.entries()) runs.push([point, points[(place + 1) % points.length] ?? point])
  }
}

/** Long lines first; a run whose points all lie on a longer one is that line. */
function mergedLines(runs: readonly (readonly string[])[]): string[][] {
  const lines: string[][] = []
  for (const run of runs.toSorted((left, right) => right.length - left.length)) {
    const distinct = new Set(run).size === run.length && run.every((point) => point !== '')
    if (distinct && !lines.some((line) => run.every((point) => line.includes(point)))) lines.push([...run])
  }
  return lines
}
