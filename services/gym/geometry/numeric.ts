import type { Affine } from './affine.ts'
import type { Place } from './figure.ts'
import type { Knowledge, Products } from './knowledge.ts'

const unknownsMax = 24
const iterationsMax = 60

/**
 * Solves the waiting equations together by Gauss-Newton from several starts; gives the distinct values of the asked
 * expression over all solutions whose residuals vanish (1e-8 relative) and whose lengths are positive.
 */
export function numericRoots(known: Knowledge, asked: Affine, places: ReadonlyMap<string, Place>): number[] {
  const sums = known.waiting().map((sum) => reducedSum(sum, known))
  const names = [...new Set([...unknownsOf(sums), ...known.system.reduced(asked).parts.keys()])]
  if (names.length === 0 || names.length > unknownsMax || sums.length < 1) return []
  const goal = known.system.reduced(asked)
  const values: number[] = []
  for (const start of [1, 0.6, 1.7, 3]) {
    const point = new Map(names.map((name) => [name, start * guess(name, places)]))
    if (!converged(sums, names, point)) continue
    const value = evaluated(goal, point)
    if (names.some((name) => name.startsWith('l:') && (point.get(name) ?? 0) <= 1e-9) || value <= 0) continue
    if (singular(sums, names, point, goal)) return []
    if (!values.some((other) => Math.abs(other - value) < 1e-5 * Math.max(1, Math.abs(value)))) values.push(value)
  }
  return values
}

function reducedSum(sum: Products, known: Knowledge): Products {
  return sum.map(([factor, left, right]) => {
    const first = known.system.reduced(left)
    return right === undefined ? [factor, first] : [factor, first, known.system.reduced(right)]
  })
}

function unknownsOf(sums: readonly Products[]): string[] {
  return sums.flatMap((sum) => sum.flatMap(([, left, right]) => [...left.parts.keys(), ...(right?.parts.keys() ?? [])]))
}

/** A first value: lengths from the picture in tens of pixels, else 5. */
function guess(name: string, places: ReadonlyMap<string, Place>): number {
  const [a, b] = [places.get(name.charAt(2)), places.get(name.charAt(3))]
  if (name.startsWith('l:') && a && b) return Math.hypot(a[0] - b[0], a[1] - b[1]) / 15
  return name.startsWith('a:') ? 50 : 5
}

function evaluated(affine: Affine, point: ReadonlyMap<string, number>): number {
  let sum = affine.constant
  for (const [name, coefficient] of affine.parts) sum += coefficient * (point.get(name) ?? 0)
  return sum
}

function residual(sum: Products, point: ReadonlyMap<string, number>): number {
  return sum.reduce((total, [factor, left, right]) => {
    return total + factor * evaluated(left, point) * (right ? evaluated(right, point) : 1)
  }, 0)
}

function gradient(sum: Products, names: readonly string[], point: ReadonlyMap<string, number>): number[] {
  return names.map((name) =>
    sum.reduce((total, [factor, left, right]) => {
      const first = (left.parts.get(name) ?? 0) * (right ? evaluated(right, point) : 1)
      const second = right ? (right.parts.get(name) ?? 0) * evaluated(left, point) : 0
      return total + factor * (first + second)
    }, 0),
  )
}

function converged(sums: readonly Products[], names: readonly string[], point: Map<string, number>): boolean {
  for (let step = 0; step < iterationsMax; step++) {
    const rests = sums.map((sum) => residual(sum, point))
    if (rests.every((rest) => Math.abs(rest) < 1e-9)) return true
    const rows = sums.map((sum) => gradient(sum, names, point))
    const move = leastSquares(rows, rests)
    for (const [place, name] of names.entries()) point.set(name, (point.get(name) ?? 0) - (move[place] ?? 0))
    if ([...point.values()].some((value) => !Number.isFinite(value) || Math.abs(value) > 1e6)) return false
  }
  return sums.every((sum) => Math.abs(residual(sum, point)) < 1e-8)
}

/** Is the asked value free to move along the solutions? Then it is not determined. */
function singular(
  sums: readonly Products[],
  names: readonly string[],
  point: ReadonlyMap<string, number>,
  goal: Affine,
): boolean {
  const direction = names.map((name) => goal.parts.get(name) ?? 0)
  const rows = sums.map((sum) => gradient(sum, names, point))
  const basis: number[][] = []
  for (const row of rows) {
    const rest = orthogonal(row, basis)
    const size = Math.hypot(...rest)
    if (size > 1e-6 * Math.max(1, Math.hypot(...row))) basis.push(rest.map((value) => value / size))
  }
  return Math.hypot(...orthogonal(direction, basis)) > 1e-5 * Math.hypot(...direction)
}

function orthogonal(row: readonly number[], basis: readonly (readonly number[])[]): number[] {
  let rest = [...row]
  for (const unit of basis) {
    const share = unit.reduce((sum, value, place) => sum + value * (rest[place] ?? 0), 0)
    rest = rest.map((value, place) => value - share * (unit[place] ?? 0))
  }
  return rest
}

/** The step of Gauss and Newton with a little damping: (JᵀJ + λ)⁻¹ Jᵀr. */
function leastSquares(rows: readonly (readonly number[])[], rests: readonly number[]): number[] {
  const size = rows[0]?.length ?? 0
  const matrix = Array.from({ length: size }, (_, i) =>
    Array.from({ length: size + 1 }, (_unused, j) =>
      rows.reduce((sum, row, place) => sum + (row[i] ?? 0) * (j < size ? (row[j] ?? 0) : (rests[place] ?? 0)), 0),
    ),
  )
  for (const [i, row] of matrix.entries()) row[i] = (row[i] ?? 0) + 1e-9
  for (let pivot = 0; pivot < size; pivot++) {
    let best = pivot
    for (let row = pivot; row < size; row++) {
      if (Math.abs(matrix[row]?.[pivot] ?? 0) > Math.abs(matrix[best]?.[pivot] ?? 0)) best = row
    }
    const [top = [], other = []] = [matrix[best], matrix[pivot]]
    matrix[pivot] = top
    matrix[best] = other
    for (const [place, row] of matrix.entries()) {
      const lead = top[pivot] ?? 0
      if (place === pivot || lead === 0) continue
      const share = (row[pivot] ?? 0) / lead
      for (let column = pivot; column <= size; column++) row[column] = (row[column] ?? 0) - share * (top[column] ?? 0)
    }
  }
  return matrix.map((row, place) => (row[size] ?? 0) / (row[place] || 1))
}
