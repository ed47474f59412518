import { ComputeEngine } from '@cortex-js/compute-engine'
import { constant, linearSystem, minus, plus, times, unknown } from '#services/gym/geometry/affine.ts'
import { parsedTerm } from '#services/gym/geometry/term.ts'
import { ToolFailure, type LocalTool, type ToolOutput } from '#services/gym/tools/tool.ts'
import type { Affine } from '#services/gym/geometry/affine.ts'
import type { Term } from '#services/gym/geometry/term.ts'

type Parsed = NonNullable<ReturnType<ComputeEngine['parse']>>

let engine: ComputeEngine | undefined

/**
 * Expressions, equations in one unknown, and linear equations in several. A root counts when both sides agree to 1e-6
 * with it put in. The engine has no bound of its own: the tool runs where it can be stopped.
 */
export const mathSolver: LocalTool = async ({ arguments: given }) => {
  const problem = plainText(typeof given['problem'] === 'string' ? given['problem'] : '')
  const parts = problem
    .split(/[;,]|\band\b/)
    .map((part) => part.trim())
    .filter((part) => part !== '')
  if (parts.length > 1) return system(parts)
  const [left = '', right, more] = problem.split('=')
  if (more !== undefined) throw new ToolFailure('InvalidInput', 'an equation has one "="')
  return right === undefined ? value(left) : equation(left, right, given['variable'])
}

function plainText(text: string): string {
  return text
    .replaceAll('−', '-')
    .replaceAll('×', '*')
    .replaceAll('÷', '/')
    .replaceAll('²', '^2')
    .replaceAll('**', '^')
    .trim()
}

/** What people type, as LaTeX: products, roots and powers of more than one digit. */
function latex(text: string): string {
  return text
    .replaceAll(/sqrt\(([^()]*)\)/g, '\\sqrt{$1}')
    .replaceAll(/\^(\d+|\([^()]*\))/g, (_, power: string) => `^{${power.replace(/^\(|\)$/g, '')}}`)
    .replaceAll('*', '\\cdot ')
    .replaceAll(/\bpi\b/g, '\\pi ')
}

function number(expression: Parsed): number | null {
  const { re, im } = expression.N()
  return Number.isFinite(re) && Math.abs(im) < 1e-9 ? Number(re.toPrecision(12)) : null
}

function parsed(text: string): Parsed {
  engine ??= new ComputeEngine()
  const expression = engine.parse(latex(text))
  if (!expression.isValid)
    throw new ToolFailure('InvalidInput', `"${text.slice(0, 100)}" cannot be read as mathematics`)
  return expression
}

function value(text: string): ToolOutput {
  const found = number(parsed(text))
  if (found === null)
    throw new ToolFailure('InvalidInput', `"${text.slice(0, 100)}" has no real value; an equation needs "="`)
  return { text: `value: ${found}`, output: { kind: 'value', value: found, roots: [], solution: {} } }
}

function equation(left: string, right: string, given: unknown): ToolOutput {
  const [first, second] = [parsed(left), parsed(right)]
  const names = [...new Set([...first.unknowns, ...second.unknowns])]
  const name = typeof given === 'string' ? given : names[0]
  if (name === undefined || (typeof given !== 'string' && names.length > 1)) {
    throw new ToolFailure(
      'InvalidInput',
      `the equation has the unknowns ${names.join(', ') || 'none'}; name one as "variable"`,
    )
  }
  const difference = parsed(`(${left})-(${right})`)
  const solved = difference.solve(name)
  const candidates = Array.isArray(solved) ? (solved as readonly unknown[]).filter(isParsed) : []
  const roots = new Set<number>()
  for (const candidate of candidates) {
    const root = number(candidate)
    if (root === null) continue
    const sides = [first, second].map((side) => number(side.subs({ [name]: root })))
    const [a, b] = sides
    if (typeof a === 'number' && typeof b === 'number' && Math.abs(a - b) <= 1e-6 * Math.max(1, Math.abs(a)))
      roots.add(root)
  }
  const list = [...roots].toSorted((a, b) => a - b)
  const text = list.length === 0 ? 'no real root was found' : list.map((root) => `${name} = ${root}`).join(' or ')
  return {
    text,
    output: { kind: 'roots', value: list.length === 1 ? (list[0] ?? null) : null, roots: list, solution: {} },
  }
}

/** The engine gives roots as expressions; a record of them only for systems, which are solved here. */
function isParsed(root: unknown): root is Parsed {
  return typeof root === 'object' && root !== null && 'subs' in root
}

function system(parts: readonly string[]): ToolOutput {
  const equations = linearSystem()
  const names = new Set<string>()
  for (const part of parts) {
    const [left, right] = part.split('=').map((side) => affine(side))
    if (!left || !right) throw new ToolFailure('InvalidInput', `"${part.slice(0, 100)}" is not a linear equation`)
    for (const side of [left, right]) for (const name of side.parts.keys()) names.add(name)
    equations.add(minus(left, right))
  }
  const found = [...names].toSorted().map((name) => [name, equations.value(unknown(name))] as const)
  const solution = Object.fromEntries(
    found.filter(([, value_]) => value_ !== null).map(([name, of]) => [name, Number(of?.toPrecision(12))]),
  )
  if (!equations.consistent || Object.keys(solution).length === 0) {
    throw new ToolFailure(
      'NoSolution',
      equations.consistent ? 'the equations determine nothing' : 'the equations contradict one another',
    )
  }
  const text = Object.entries(solution)
    .map(([name, of]) => `${name} = ${of}`)
    .join(', ')
  return { text, output: { kind: 'system', value: null, roots: [], solution } }
}

function affine(text: string): Affine | null {
  try {
    return affineTerm(parsedTerm(text))
  } catch (error) {
    if (error instanceof SyntaxError) throw new ToolFailure('InvalidInput', error.message)
    throw error
  }
}

function affineTerm(term: Term): Affine | null {
  if (term.op === 'number') return constant(term.value)
  if (term.op === 'name') return unknown(term.name)
  if (term.op === 'call') return null
  const [left, right] = [affineTerm(term.left), affineTerm(term.right)]
  if (!left || !right) return null
  if (term.op === '+') return plus(left, right)
  if (term.op === '-') return minus(left, right)
  if (term.op === '/') return right.parts.size === 0 && right.constant !== 0 ? times(left, 1 / right.constant) : null
  if (left.parts.size === 0) return times(right, left.constant)
  return right.parts.size === 0 ? times(left, right.constant) : null
}
