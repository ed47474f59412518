import { constant, linearSystem, minus, plus, times, unknown } from './affine.ts'
import type { Affine, LinearSystem } from './affine.ts'

/** A sum of products of at most two expressions, which is nought. */
export type Products = readonly (readonly [factor: number, left: Affine, right?: Affine])[]

/** What is known: linear equations, and products that wait until one unknown is left in them. */
export type Knowledge = {
  readonly system: LinearSystem
  /** Names of the rules that said something new, in order. */
  readonly reasons: string[]
  /** `left = right`; true when that was new. */
  equal(left: Affine, right: Affine, reason: string): boolean
  /** The sum of products is nought; `key` keeps it from being written twice. */
  products(sum: Products, key: string, reason: string): void
  /** Solves the waiting products that have one unknown left. True when something new came out. */
  settle(): boolean
  /** The products that wait. */
  waiting(): readonly Products[]
  value(expression: Affine): number | null
  same(left: Affine, right: Affine): boolean
}

const productsMax = 600

type Monomials = { readonly constant: number; readonly linear: Affine; readonly square: ReadonlyMap<string, number> }

export function knowledge(): Knowledge {
  const system = linearSystem()
  const reasons: string[] = []
  const open = new Map<string, { sum: Products; reason: string }>()
  function said(reason: string): true {
    if (!reasons.includes(reason)) reasons.push(reason)
    return true
  }
  function settle(): boolean {
    let news = false
    for (const [key, { sum, reason }] of open) {
      const done = settled(sum, system)
      if (done === 'open') continue
      open.delete(key)
      if (done === 'known') continue
      if (system.add(done)) news = said(reason)
    }
    return news
  }
  const seen = new Set<string>()
  return {
    system,
    reasons,
    equal: (left, right, reason) => system.add(minus(left, right)) && said(reason),
    products(sum, key, reason) {
      if (seen.has(key) || seen.size >= productsMax) return
      seen.add(key)
      open.set(key, { sum, reason })
    },
    settle,
    waiting: () => [...open.values()].map(({ sum }) => sum),
    value: (expression) => system.value(expression),
    same(left, right) {
      const rest = system.reduced(minus(left, right))
      return rest.parts.size === 0 && Math.abs(rest.constant) < 1e-6
    },
  }
}

/** What a sum of products says now: an equation, nothing any more, or nothing yet. */
function settled(sum: Products, system: LinearSystem): Affine | 'known' | 'open' {
  const { constant: rest, linear, square } = monomials(sum, system)
  if (square.size === 0) return linear.parts.size === 0 ? 'known' : plus(linear, constant(rest))
  const names = new Set([...linear.parts.keys(), ...[...square.keys()].flatMap((pair) => pair.split('·'))])
  const [name] = names
  if (names.size !== 1 || name === undefined) return 'open'
  const roots = positiveRoots(square.get(`${name}·${name}`) ?? 0, linear.parts.get(name) ?? 0, rest)
  const fitting = roots.filter((root) => lengthsPositive(sum, system, name, root))
  const [root] = fitting
  return fitting.length === 1 && root !== undefined ? minus(unknown(name), constant(root)) : 'open'
}

function monomials(sum: Products, system: LinearSystem): Monomials {
  let rest = 0
  let linear = constant(0)
  const square = new Map<string, number>()
  for (const [factor, first, second = constant(1)] of sum) {
    const [left, right] = [system.reduced(first), system.reduced(second)]
    rest += factor * left.constant * right.constant
    linear = plus(linear, times({ constant: 0, parts: left.parts }, factor * right.constant))
    linear = plus(linear, times({ constant: 0, parts: right.parts }, factor * left.constant))
    for (const [a, ca] of left.parts) {
      for (const [b, cb] of right.parts) {
        const pair = a < b ? `${a}·${b}` : `${b}·${a}`
        square.set(pair, (square.get(pair) ?? 0) + factor * ca * cb)
      }
    }
  }
  for (const [pair, coefficient] of square) if (Math.abs(coefficient) < 1e-9) square.delete(pair)
  return { constant: rest, linear, square }
}

function positiveRoots(a: number, b: number, c: number): number[] {
  const under = b * b - 4 * a * c
  if (Math.abs(a) < 1e-12 || under < -1e-9) return []
  const root = Math.sqrt(Math.max(0, under))
  const both = [(-b + root) / (2 * a), (-b - root) / (2 * a)].filter((value) => value > 1e-9)
  return both.length === 2 && Math.abs((both[0] ?? 0) - (both[1] ?? 0)) < 1e-9 ? both.slice(0, 1) : both
}

function lengthsPositive(sum: Products, system: LinearSystem, name: string, root: number): boolean {
  return sum.every(([, left, right]) =>
    [left, right].every((expression) => {
      if (expression === undefined) return true
      const { constant: rest, parts } = system.reduced(expression)
      return rest + (parts.get(name) ?? 0) * root > 1e-9 || (parts.size === 0 && rest < 0)
    }),
  )
}
