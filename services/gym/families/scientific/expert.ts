import { circuitExpression } from './circuit-reduction.ts'
import type { Expert, ExpertHeard } from '#services/gym/policies/policy.ts'

type Arrow = { readonly from: string; readonly to: string }

/** Reads the diagram as a graph; answers from its arrows, or has the formula of the circuit worked out. */
export const expert: Expert = (question, choices, heard) => {
  const [first] = heard
  const electric = /\b(?:resistance|current|source|circuit)\b/i.test(question)
  if (!first) {
    const task = electric ? 'circuit' : 'graph'
    return { think: `I read the diagram as a ${task} first.`, tool: 'diagram_parser', task, arguments: {} }
  }
  return electric ? electricMove(question, heard) : webMove(question, choices, first)
}

function electricMove(question: string, [first, second]: readonly ExpertHeard[]): ReturnType<Expert> {
  const current = /\bcurrent\b/i.test(question)
  const found = first?.ok === true ? circuitExpression(first.text) : null
  if (!second && found) {
    const problem = current ? `${found.volts}/(${found.ohms})` : found.ohms
    const think = `Series resistances add, parallel ones add as reciprocals: ${found.ohms} ohms.`
    return { think, tool: 'math_solver', task: 'solve', arguments: { problem } }
  }
  const value = second?.ok === true ? /value: (-?[\d.]+(?:e-?\d+)?)/.exec(second.text)?.[1] : undefined
  if (value === undefined) return { think: 'The circuit could not be worked out; I guess.', answer: '10' }
  return { think: `The formula gives ${value}.`, answer: String(Number(Number(value).toFixed(2))) }
}

function webMove(question: string, choices: readonly string[], { text, ok }: ExpertHeard): ReturnType<Expert> {
  const line = ok ? text.split('\n').find((each) => each.startsWith('arrows: ')) : undefined
  const arrows = (line ?? '')
    .slice('arrows: '.length)
    .split('; ')
    .flatMap((each): Arrow[] => {
      const [from, to] = each.split(' -> ')
      return from && to ? [{ from, to }] : []
    })
  const named =
    /(?:does the|for the|eats the|feeds on the|if the|if all the) ([a-z ]+?)(?: eat| disappeared|\?)/i.exec(
      question,
    )?.[1] ?? ''
  const scored = choices.map((choice) => ({ choice, score: scoreOf(question, named, choice, arrows) }))
  const best = scored.toSorted((a, b) => b.score - a.score)[0]
  return { think: `The web has ${arrows.length} arrows, each from the eaten to the eater.`, answer: best?.choice ?? '' }
}

/** How well a choice fits: 1 and more where the arrows say so, else 0. */
function scoreOf(question: string, named: string, choice: string, arrows: readonly Arrow[]): number {
  const eats = (eater: string, eaten: string): number =>
    Math.max(
      0,
      ...arrows.map(({ from, to }) =>
        alike(from, eaten) > 0.6 && alike(to, eater) > 0.6 ? alike(from, eaten) + alike(to, eater) : 0,
      ),
    )
  const foods = (eater: string): number => arrows.filter(({ to }) => alike(to, eater) > 0.6).length
  const eaters = (eaten: string): number => arrows.filter(({ from }) => alike(from, eaten) > 0.6).length
  const change = /(?:number|amount) of ([a-z ]+?) would (increase|decrease)/i.exec(choice)
  if (change?.[1] !== undefined) {
    const [gone, other] = [singular(named), singular(change[1])]
    return change[2] === 'increase' ? eats(gone, other) : foods(other) === 1 ? eats(other, gone) : 0
  }
  if (/producer/.test(question)) return 10 - foods(choice)
  if (/eaten by nothing|top predator/.test(question)) return 10 - eaters(choice)
  if (/only food/.test(question)) return foods(choice) === 1 ? eats(choice, named) : 0
  return /does the|food for/.test(question) ? eats(named, choice) : eats(choice, named)
}

/** One of what is spoken of as several, near enough for `alike`. */
function singular(many: string): string {
  return many
    .replace(/\bmice$/i, 'mouse')
    .replace(/ves$/i, 'f')
    .replace(/ies$/i, 'y')
    .replace(/(x|ch|sh|s)es$/i, '$1')
    .replace(/([^us])s$/i, '$1')
}

/** 1 for the same letters, less for each that differs: readers of pictures slip. */
function alike(left: string, right: string): number {
  const [a, b] = [left, right].map((text) => text.toLowerCase().replaceAll(/[^a-z]/g, '')) as [string, string]
  let row = Array.from({ length: b.length + 1 }, (_, place) => place)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a.charAt(i - 1) === b.charAt(j - 1) ? 0 : 1
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same))
    }
    row = next
  }
  return 1 - (row[b.length] ?? 0) / Math.max(1, a.length, b.length)
}
