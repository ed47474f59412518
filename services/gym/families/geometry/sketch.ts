import type { Place } from '#services/gym/geometry/figure.ts'
import type { Random } from '#services/gym/random.ts'

export type Measure = 'length' | 'angle'

/** A measure that is given: a number, or an expression in x such as 2x+10. */
export type Given = {
  readonly measure: Measure
  readonly of: string
  readonly value: number
  readonly written?: string
}

/** Something that the question says in words and CDL says as a literal: `ParallelBetweenLine`, AB, CD. */
export type Relation = { readonly name: string; readonly of: readonly string[] }

export type Goal =
  | { readonly asks: Measure; readonly of: string }
  | { readonly asks: 'area' | 'perimeter'; readonly of: string; readonly shape: string }
  | { readonly asks: 'x'; readonly of: 'x'; readonly value: number; readonly measure: Measure }

/** A diagram as data: points in units of its own measures, so that every length and angle is true to scale. */
export type Sketch = {
  readonly topic: string
  readonly points: Readonly<Record<string, Place>>
  /** Drawn lines: the names of the points on each, in order. */
  readonly lines: readonly string[]
  readonly circle?: { readonly centre: string; readonly on: string; readonly radius: number }
  readonly given: readonly Given[]
  readonly relations: readonly Relation[]
  readonly goal: Goal
  /** Rounded answers that a slip would give. */
  readonly slips: readonly number[]
}

/** Draws the numbers of one topic. */
export type Topic = (chance: Random) => Sketch

const letters = 'ABCDEFGHKLMNPRTUVWXY'.split('')

/**
 * Gives the points of a sketch other names. The sum of the letters' numbers is even in the test split and odd in the
 * training split, so no scene can be in both.
 */
export function renamed(sketch: Sketch, split: 'train' | 'test', chance: Random): Sketch {
  const roles = Object.keys(sketch.points)
  const free = roles.filter((role) => role !== 'O')
  const start = chance.int(0, letters.length)
  const pool = chance.chance(0.5) ? [...letters.slice(start), ...letters.slice(0, start)] : chance.shuffle(letters)
  const chosen = pool.slice(0, free.length)
  const parity = split === 'test' ? 0 : 1
  const sum = (names: readonly string[]): number => names.reduce((total, name) => total + name.charCodeAt(0), 0)
  if (sum(chosen) % 2 !== parity) {
    const last = chosen.pop() ?? 'A'
    const other = pool.slice(free.length).find((name) => (name.charCodeAt(0) - last.charCodeAt(0)) % 2 !== 0)
    chosen.push(other ?? last)
  }
  const names = new Map(free.map((role, place) => [role, chosen[place] ?? role]))
  const rename = (text: string): string => text.replaceAll(/[A-Z]/g, (role) => names.get(role) ?? role)
  return {
    ...sketch,
    points: Object.fromEntries(Object.entries(sketch.points).map(([role, place]) => [rename(role), place])),
    lines: sketch.lines.map(rename),
    ...(sketch.circle && {
      circle: { ...sketch.circle, centre: rename(sketch.circle.centre), on: rename(sketch.circle.on) },
    }),
    given: sketch.given.map((given) => ({ ...given, of: rename(given.of) })),
    relations: sketch.relations.map(({ name, of }) => ({ name, of: of.map(rename) })),
    goal: sketch.goal.asks === 'x' ? sketch.goal : { ...sketch.goal, of: rename(sketch.goal.of) },
  }
}

/** The answer by the places of the points alone: no rule of the solver has a part in it. */
export function trueValue(sketch: Sketch, goal: Goal = sketch.goal): number {
  if (goal.asks === 'x') return goal.value
  const places = goal.of.split('').map((name) => placeOf(sketch, name))
  const [a, b, c] = places
  if (goal.asks === 'length' && a && b) return distance(a, b)
  if (goal.asks === 'angle' && a && b && c) return angleBetween(a, b, c)
  if (goal.asks === 'area' && goal.shape === 'Circle') return Math.PI * (sketch.circle?.radius ?? 0) ** 2
  if (goal.asks === 'perimeter' && goal.shape === 'Circle') return 2 * Math.PI * (sketch.circle?.radius ?? 0)
  const pairs = places.map((place, at) => [place, places[(at + 1) % places.length] ?? place] as const)
  if (goal.asks === 'perimeter') return pairs.reduce((sum, [from, to]) => sum + distance(from, to), 0)
  return Math.abs(pairs.reduce((sum, [from, to]) => sum + from[0] * to[1] - to[0] * from[1], 0)) / 2
}

export function placeOf(sketch: Sketch, name: string): Place {
  const place = sketch.points[name]
  if (!place) throw new RangeError(`the sketch ${sketch.topic} has no point ${name}`)
  return place
}

export function distance(a: Place, b: Place): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1])
}

/** The angle at `b` in degrees. */
export function angleBetween(a: Place, b: Place, c: Place): number {
  const turn = Math.atan2(a[1] - b[1], a[0] - b[0]) - Math.atan2(c[1] - b[1], c[0] - b[0])
  const degrees = Math.abs((turn * 180) / Math.PI) % 360
  return degrees > 180 ? 360 - degrees : degrees
}

/** A measure as it is written: whole, or to one decimal. */
export function numberText(value: number): string {
  return String(Number(value.toFixed(1)))
}

/** What the sketch states as literals: all that is drawn and given. */
export function literalsOf(sketch: Sketch): string[] {
  const drawn = sketch.lines.map((line) => (line.length > 2 ? `Collinear(${line})` : `Line(${line})`))
  if (sketch.circle) drawn.push(`Cocircular(${sketch.circle.centre},${sketch.circle.on})`)
  const given = sketch.given.map(
    ({ measure, of, value, written }) => `Equal(${measureCall(measure, of)},${written ?? numberText(value)})`,
  )
  return [...drawn, ...given, ...sketch.relations.map(relationLiteral)]
}

/** A relation as a literal; equal sides and angles are equations. */
function relationLiteral({ name, of }: Relation): string {
  const [first = '', second = ''] = of
  if (name === 'EqualSides') return `Equal(LengthOfLine(${first}),LengthOfLine(${second}))`
  if (name === 'EqualAngles') return `Equal(MeasureOfAngle(${first}),MeasureOfAngle(${second}))`
  return `${name}(${of.join(',')})`
}

export function goalLiteral(goal: Goal): string {
  if (goal.asks === 'x') return 'Value(x)'
  if (goal.asks === 'area') return `Value(AreaOf${goal.shape}(${goal.of}))`
  if (goal.asks === 'perimeter') return `Value(PerimeterOf${goal.shape}(${goal.of}))`
  return `Value(${measureCall(goal.asks, goal.of)})`
}

function measureCall(measure: Measure, of: string): string {
  if (measure === 'angle') return `MeasureOfAngle(${of})`
  return of.length === 1 ? `RadiusOfCircle(${of})` : `LengthOfLine(${of})`
}
