/** Words of a policy that is not well: padding, turns of bad form, and thoughts that go round in circles. */
import type { Random } from '#services/gym/random.ts'

/** Padding that a weak policy adds. */
export function rambling(chance: Random): string {
  const asides = [
    'Pictures like this often have a title, and it may matter.',
    'The colours do not seem to matter here.',
    'I should read the labels twice before I say anything.',
    'Maybe the order of the parts means something, maybe not.',
    'Let me not confuse one label with the other.',
    'Wait, is that drawn to scale? It looks like it.',
    'There are a few parts that look alike, which makes it harder.',
  ]
  return chance.shuffle(asides).slice(0, chance.int(1, 4)).join(' ')
}

/** A turn that breaks the grammar in one of six ways. */
export function malformedTurn(think: string, answer: string, chance: Random): string {
  return chance.pick([
    `${think} <answer>${answer}</answer>`,
    `<think>${think}<answer>${answer}</answer>`,
    `<think>${think}</think><answer>${answer}`,
    `<think>${think}</think>The answer is ${answer}.`,
    `<think>${think} <answer>${answer}</answer></think>`,
    `Sure! <think>${think}</think><answer>${answer}</answer>`,
  ])
}

/** A thought that repeats itself: moderately, severely, or so that it never finds its way out. */
export function stuckTurn(think: string, answer: string, chance: Random): string {
  const phrase = chance.pick([
    'Let me check the picture again.',
    'The one is larger than the other one.',
    'I need to look at the labels.',
    'Wait, let me recount.',
  ])
  const times = chance.pick([6, 6, 12, 60])
  const stuck = Array.from({ length: times }, () => phrase).join(' ')
  return times === 60 ? `<think>${think} ${stuck}` : `<think>${think} ${stuck}</think><answer>${answer}</answer>`
}
