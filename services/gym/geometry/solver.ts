import { angleAddition, angleSums, circleAngles, lineAddition } from './angle-rules.ts'
import { areaRule } from './area-rules.ts'
import { affineOf, stated, tangentPairs } from './facts.ts'
import { trianglesOf } from './figure.ts'
import { knowledge } from './knowledge.ts'
import { roundRules } from './length-rules.ts'
import { figureOf, pointsOf, readLiteral } from './literal.ts'
import { numericRoots } from './numeric.ts'
import { termText } from './term.ts'
import type { AreaGoal } from './area-rules.ts'
import type { Affine } from './affine.ts'
import type { Place } from './figure.ts'
import type { Knowledge } from './knowledge.ts'
import type { Term } from './term.ts'

export type Problem = {
  /** Literals of CDL or of Inter-GPS: what is drawn, what is given. */
  readonly literals: readonly string[]
  /** `Value(…)` or `Find(…)`. */
  readonly goal: string
  /** Where the points lie in the picture: used for order and sides, never for measures. */
  readonly places?: Readonly<Record<string, Place>>
}

export type Solution = {
  /** Null when the facts do not determine it. */
  readonly value: number | null
  /** Names of the rules that said something new, in order. */
  readonly steps: readonly string[]
  /** Literals that could not be read or are not known here. */
  readonly unread: readonly string[]
  /** `rules`, or `numeric` when the equations had to be solved together by iteration. */
  readonly method: 'rules' | 'numeric' | 'none'
  /** False when the facts contradict one another. */
  readonly consistent: boolean
}

const literalsMax = 120
/** Angles grow with the cube of the points; diagrams of text books have at most ten. */
const pointsMax = 14
const roundsMax = 12

/**
 * Solves for the goal: linear elimination of all equalities, some twenty rules until nothing new comes out (at most
 * 12 rounds), then the waiting equations together, by iteration, each result checked by substitution. Throws
 * RangeError for more than 120 literals or 14 points, and SyntaxError for a goal that cannot be read.
 */
export function solvedProblem(problem: Problem): Solution {
  if (problem.literals.length > literalsMax) throw new RangeError(`at most ${literalsMax} literals`)
  const unread: string[] = []
  const literals = problem.literals.flatMap((text) => readOr(text, unread))
  const goal = goalTerm(problem.goal)
  const places = new Map(Object.entries(problem.places ?? {}))
  const figure = figureOf([...literals, goal], places)
  if (figure.points.length > pointsMax) throw new RangeError(`at most ${pointsMax} points`)
  const known = knowledge()
  for (const rule of [lineAddition, angleAddition, angleSums, circleAngles]) rule(figure, known)
  for (const literal of literals) if (!stated(figure, known, literal)) unread.push(termText(literal))
  tangentPairs(known, figure, literals)
  const triangles = trianglesOf(figure)
  const asked = affineOf(figure, goal)
  if (!asked) throw new SyntaxError(`the goal ${problem.goal} is not a length, an angle, an area or an unknown`)
  const areaGoal = areaOf(goal)
  for (let round = 0; round < roundsMax && known.value(asked) === null; round++) {
    const before = known.reasons.length
    let news = known.settle()
    for (const rule of roundRules) {
      rule(figure, known, triangles)
      news = known.settle() || news
    }
    if (areaGoal) areaRule(figure, known, areaGoal)
    news = known.settle() || news || known.reasons.length > before
    if (!news && round > 2) break
  }
  return told(known, asked, figure, unread)
}

function told(
  known: Knowledge,
  asked: Affine,
  figure: ReturnType<typeof figureOf>,
  unread: readonly string[],
): Solution {
  const base = { steps: known.reasons, unread, consistent: known.system.consistent }
  const value = known.value(asked)
  if (value !== null) return { ...base, value, method: 'rules' }
  const roots = numericRoots(known, asked, figure.places)
  const [root] = roots
  if (roots.length === 1 && root !== undefined) return { ...base, value: root, method: 'numeric' }
  return { ...base, value: null, method: 'none' }
}

/** Does the goal have this value, to `tolerance` (relative)? Null when the facts do not tell. */
export function verifiedValue(problem: Problem, answer: number, tolerance = 0.005): boolean | null {
  const { value } = solvedProblem(problem)
  return value === null ? null : Math.abs(value - answer) <= tolerance * Math.max(1, Math.abs(value))
}

function readOr(text: string, unread: string[]): Term[] {
  try {
    return [readLiteral(text)]
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    unread.push(text)
    return []
  }
}

function goalTerm(text: string): Term {
  const term = readLiteral(text)
  const inner = term.op === 'call' && term.name === 'Value' ? term.args[0] : term
  if (!inner) throw new SyntaxError('the goal names nothing')
  return inner
}

function areaOf(goal: Term): AreaGoal | null {
  const shape = goal.op === 'call' ? /^AreaOf(\w+)$/.exec(goal.name)?.[1] : undefined
  return goal.op === 'call' && shape !== undefined ? { shape, points: pointsOf(goal.args[0]) } : null
}
