/** A constant plus multiples of unknowns. Unknowns with a coefficient near nought are left out. */
export type Affine = { readonly constant: number; readonly parts: ReadonlyMap<string, number> }

const nought = 1e-9

export function constant(value: number): Affine {
  return { constant: value, parts: new Map() }
}

export function unknown(name: string): Affine {
  return { constant: 0, parts: new Map([[name, 1]]) }
}

/** `left + factor · right`. */
export function plus(left: Affine, right: Affine, factor = 1): Affine {
  const parts = new Map(left.parts)
  for (const [name, coefficient] of right.parts) {
    const sum = (parts.get(name) ?? 0) + factor * coefficient
    if (Math.abs(sum) < nought) parts.delete(name)
    else parts.set(name, sum)
  }
  return { constant: left.constant + factor * right.constant, parts }
}

export function minus(left: Affine, right: Affine): Affine {
  return plus(left, right, -1)
}

export function times(affine: Affine, factor: number): Affine {
  return plus(constant(0), affine, factor)
}

/** The ratio left : right when one is a multiple of the other and neither is nought; null otherwise. */
export function ratioOf(left: Affine, right: Affine): number | null {
  const [name] = right.parts.keys()
  const below = name === undefined ? right.constant : (right.parts.get(name) ?? 0)
  const above = name === undefined ? left.constant : (left.parts.get(name) ?? 0)
  if (Math.abs(below) < nought || Math.abs(above) < nought) return null
  const rest = plus(left, right, -above / below)
  return rest.parts.size === 0 && Math.abs(rest.constant) < 1e-7 ? above / below : null
}

/** Solved linear equations: each pivot is written by the unknowns that are still free. */
export type LinearSystem = {
  /** Adds `equation = 0`. True when it said something new. */
  add(equation: Affine): boolean
  /** Writes an expression by free unknowns only. */
  reduced(expression: Affine): Affine
  /** The value, or null while it is open. */
  value(expression: Affine): number | null
  /** False after two equations contradicted each other by more than 1e-4. */
  readonly consistent: boolean
}

export function linearSystem(): LinearSystem {
  const rows = new Map<string, Affine>()
  let consistent = true
  function reduced(expression: Affine): Affine {
    let result = expression
    for (const [name, coefficient] of expression.parts) {
      const row = rows.get(name)
      if (row) result = plus(plus(result, unknown(name), -coefficient), row, coefficient)
    }
    return result
  }
  function add(equation: Affine): boolean {
    const rest = reduced(equation)
    let pivot: string | undefined
    let best = 0
    for (const [name, coefficient] of rest.parts) {
      if (Math.abs(coefficient) > best + nought) [pivot, best] = [name, Math.abs(coefficient)]
    }
    if (pivot === undefined || best < 1e-7) {
      if (Math.abs(rest.constant) > 1e-4) consistent = false
      return false
    }
    const coefficient = rest.parts.get(pivot) ?? 1
    const row = times(plus(rest, unknown(pivot), -coefficient), -1 / coefficient)
    for (const [name, other] of rows) {
      const share = other.parts.get(pivot)
      if (share !== undefined) rows.set(name, plus(plus(other, unknown(pivot), -share), row, share))
    }
    rows.set(pivot, row)
    return true
  }
  return {
    add,
    reduced,
    value(expression) {
      const rest = reduced(expression)
      return rest.parts.size === 0 ? rest.constant : null
    },
    get consistent() {
      return consistent
    },
  }
}
