import { numberText } from './sketch.ts'
import type { Random } from '#services/gym/random.ts'
import type { Given, Goal, Relation, Sketch } from './sketch.ts'

/** The question: what the picture is, what is given in words, what is asked. */
export function questionText(sketch: Sketch, inWords: readonly Given[], chance: Random): string {
  const given = [
    ...sketch.relations.map((relation) => relationWords(relation, sketch, chance)),
    ...inWords.map(givenWords),
  ]
  if (sketch.circle) given.unshift(`${sketch.circle.centre} is the centre of the circle`)
  const said = sentence(given, chance)
  return `${said}${goalWords(sketch.goal, chance)}`
}

function sentence(given: readonly string[], chance: Random): string {
  const opening = chance.pick(['In the diagram, ', 'In the figure, ', 'As shown, '])
  const list = given.length < 2 ? given.join('') : `${given.slice(0, -1).join(', ')} and ${given.at(-1)}`
  return list === '' ? '' : `${opening}${list}. `
}

function relationWords({ name, of }: Relation, sketch: Sketch, chance: Random): string {
  const [first = '', second = ''] = of
  const words: Readonly<Record<string, readonly string[]>> = {
    EqualSides: [`${first} = ${second}`],
    EqualAngles: [`∠${first} = ∠${second}`],
    ParallelBetweenLine: [`${first} ∥ ${second}`, `${first} is parallel to ${second}`],
    PerpendicularBetweenLine: [`${first} ⊥ ${second}`, `${first} is perpendicular to ${second}`],
    IsDiameterOfCircle: [`${first} is a diameter`],
    IsTangentOfCircle: [`${first} is tangent to circle ${second} at ${touchOf(sketch, first)}`],
    IsMidpointOfLine: [`${first} is the midpoint of ${second}`],
    IsBisectorOfAngle: [`${first} bisects ∠${second}`],
    Rectangle: [`${first} is a rectangle`],
    Parallelogram: [`${first} is a parallelogram`],
  }
  return chance.pick(words[name] ?? [name])
}

function touchOf(sketch: Sketch, line: string): string {
  return line.split('').find((point) => sketch.circle?.on.includes(point) === true) ?? ''
}

function givenWords({ measure, of, value, written }: Given): string {
  const number = written ?? numberText(value)
  return measure === 'angle' ? `∠${of} = ${/[a-z]/.test(number) ? `(${number})` : number}°` : `${of} = ${number}`
}

function goalWords(goal: Goal, chance: Random): string {
  const what = goalName(goal)
  return chance.pick([`Find ${what}.`, `What is ${what}?`, `Work out ${what}.`])
}

function goalName(goal: Goal): string {
  if (goal.asks === 'x') return 'the value of x'
  if (goal.asks !== 'area' && goal.asks !== 'perimeter') {
    return goal.asks === 'angle' ? `the measure of ∠${goal.of}` : `the length of ${goal.of}`
  }
  const shape = `${goal.shape.toLowerCase()} ${goal.of}`
  if (goal.asks === 'perimeter' && goal.shape === 'Circle') return `the circumference of ${shape}`
  return `the ${goal.asks} of ${shape}`
}
