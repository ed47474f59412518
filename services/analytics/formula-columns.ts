/**
 * The operators and functions of formulas over columns. A step of a formula is one loop over a thousand values: a call
 * for each row and step took ten times as long.
 */

/** Rows that are computed at once, so that the columns between two steps stay in the processor's cache. */
export const CHUNK_ROWS = 1024

/** Values of a chunk of rows; `CHUNK_ROWS` long. */
export type Column = Float64Array

/** A step of a formula: the values of `length` rows from those of the names. What it gives is its own until the next call. */
export type Node = (names: readonly Column[], length: number) => Column

/** Puts the result for `length` rows into `out`. */
export type Binary = (left: Column, right: Column, out: Column, length: number) => void
type Of = (out: Column, length: number, given: readonly Column[]) => void

/** A node that is the same number everywhere. */
export function constant(value: number): Node {
  const out = new Float64Array(CHUNK_ROWS).fill(value)
  return () => out
}

export function binary(operation: Binary, left: Node, right: Node): Node {
  const out = new Float64Array(CHUNK_ROWS)
  return (names, length) => {
    operation(left(names, length), right(names, length), out, length)
    return out
  }
}

export function applied(operation: Of, given: readonly Node[]): Node {
  const out = new Float64Array(CHUNK_ROWS)
  return (names, length) => {
    operation(
      out,
      length,
      given.map((one) => one(names, length)),
    )
    return out
  }
}

// Each has a loop of its own: one loop that calls an operator does not have the call inlined.
export const negated: Of = (out, length, [of = out]) => {
  for (let row = 0; row < length; row++) out[row] = -(of[row] ?? 0)
}
export const denied: Of = (out, length, [of = out]) => {
  for (let row = 0; row < length; row++) out[row] = (of[row] ?? 0) === 0 ? 1 : 0
}
export const power: Binary = (left, right, out, length) => {
  for (let row = 0; row < length; row++) out[row] = (left[row] ?? 0) ** (right[row] ?? 0)
}

/** Operators by how strongly they bind, the weakest first. All of a level join to the left. */
export const LEVELS: readonly Readonly<Record<string, Binary>>[] = [
  {
    or: (left, right, out, length) => {
      for (let row = 0; row < length; row++) out[row] = (left[row] ?? 0) !== 0 || (right[row] ?? 0) !== 0 ? 1 : 0
    },
  },
  {
    and: (left, right, out, length) => {
      for (let row = 0; row < length; row++) out[row] = (left[row] ?? 0) !== 0 && (right[row] ?? 0) !== 0 ? 1 : 0
    },
  },
  {
    '<': (left, right, out, length) => {
      for (let row = 0; row < length; row++) out[row] = (left[row] ?? 0) < (right[row] ?? 0) ? 1 : 0
    },
    '<=': (left, right, out, length) => {
      for (let row = 0; row < length; row++) out[row] = (left[row] ?? 0) <= (right[row] ?? 0) ? 1 : 0
    },
    '>': (left, right, out, length) => {
      for (let row = 0; row < length; row++) out[row] = (left[row] ?? 0) > (right[row] ?? 0) ? 1 : 0
    },
    '>=': (left, right, out, length) => {
      for (let row = 0; row < length; row++) out[row] = (left[row] ?? 0) >= (right[row] ?? 0) ? 1 : 0
    },
    '==': (left, right, out, length) => {
      for (let row = 0; row < length; row++) out[row] = (left[row] ?? 0) === (right[row] ?? 0) ? 1 : 0
    },
    '!=': (left, right, out, length) => {
      for (let row = 0; row < length; row++) out[row] = (left[row] ?? 0) === (right[row] ?? 0) ? 0 : 1
    },
  },
  {
    '+': (left, right, out, length) => {
      for (let row = 0; row < length; row++) out[row] = (left[row] ?? 0) + (right[row] ?? 0)
    },
    '-': (left, right, out, length) => {
      for (let row = 0; row < length; row++) out[row] = (left[row] ?? 0) - (right[row] ?? 0)
    },
  },
  {
    '*': (left, right, out, length) => {
      for (let row = 0; row < length; row++) out[row] = (left[row] ?? 0) * (right[row] ?? 0)
    },
    '/': (left, right, out, length) => {
      for (let row = 0; row < length; row++) out[row] = (left[row] ?? 0) / (right[row] ?? 0)
    },
  },
]

const each =
  (of: (value: number) => number): Of =>
  (out, length, [values = out]) => {
    for (let row = 0; row < length; row++) out[row] = of(values[row] ?? 0)
  }

/** The least or greatest of several, two at a time. */
const among =
  (of: (left: number, right: number) => number): Of =>
  (out, length, [first = out, ...others]) => {
    for (let row = 0; row < length; row++) out[row] = first[row] ?? 0
    for (const other of others) for (let row = 0; row < length; row++) out[row] = of(out[row] ?? 0, other[row] ?? 0)
  }

const clamp: Of = (out, length, [values = out, low = out, high = out]) => {
  for (let row = 0; row < length; row++) out[row] = Math.min(Math.max(values[row] ?? 0, low[row] ?? 0), high[row] ?? 0)
}

const choice: Of = (out, length, [condition = out, then = out, otherwise = out]) => {
  for (let row = 0; row < length; row++)
    out[row] = (condition[row] ?? 0) === 0 ? (otherwise[row] ?? 0) : (then[row] ?? 0)
}

/** Functions, and from how many to how many values they take. */
export const FUNCTIONS: Readonly<Record<string, { readonly arguments: readonly [number, number]; readonly of: Of }>> = {
  min: { arguments: [1, 20], of: among(Math.min) },
  max: { arguments: [1, 20], of: among(Math.max) },
  clamp: { arguments: [3, 3], of: clamp },
  abs: { arguments: [1, 1], of: each(Math.abs) },
  sqrt: { arguments: [1, 1], of: each(Math.sqrt) },
  exp: { arguments: [1, 1], of: each(Math.exp) },
  log: { arguments: [1, 1], of: each(Math.log) },
  floor: { arguments: [1, 1], of: each(Math.floor) },
  ceil: { arguments: [1, 1], of: each(Math.ceil) },
  sign: { arguments: [1, 1], of: each(Math.sign) },
  if: { arguments: [3, 3], of: choice },
}
