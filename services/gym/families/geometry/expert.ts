import type { Expert, ExpertHeard } from '#services/gym/policies/policy.ts'

/** Formalizes picture and question, has the literals solved, and answers with the choice or the rounded number. */
export const expert: Expert = (question, choices, heard) => {
  const [first, second] = heard
  if (!first) {
    return {
      think: 'I write the diagram and the question as literals first.',
      tool: 'diagram_formalizer',
      task: 'formalize',
      arguments: {},
    }
  }
  if (!second) return solveMove(first)
  const answer = heard.map(answerOf).find((value) => value !== null) ?? null
  return { think: conclusion(answer, choices), answer: answerText(question, choices, answer) }
}

function solveMove({ text, ok }: ExpertHeard): ReturnType<Expert> {
  const diagram = ok ? [...listOf(text, 'construction_cdl'), ...listOf(text, 'image_cdl')] : []
  const goal = listOf(text, 'goal_cdl')[0]
  const shared = { tool: 'intergps', task: 'solve' }
  if (diagram.length === 0) {
    return { ...shared, think: 'The literals are missing, so the solver shall read the picture itself.', arguments: {} }
  }
  return {
    ...shared,
    think: `The diagram gives ${diagram.length} literals${goal === undefined ? '' : ` and the goal ${goal}`}. I have them solved.`,
    arguments: {
      diagram_logic_forms: diagram,
      text_logic_forms: listOf(text, 'text_cdl'),
      point_positions: pointsOf(text),
      ...(goal !== undefined && { goal }),
    },
  }
}

function listOf(text: string, name: string): string[] {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name}: `))
  return line === undefined
    ? []
    : line
        .slice(name.length + 2)
        .split('; ')
        .filter((literal) => literal !== '')
}

function pointsOf(text: string): Record<string, [number, number]> {
  const found = listOf(text, 'points').map((point) => /^([A-Z])\(([\d.-]+),([\d.-]+)\)$/.exec(point))
  return Object.fromEntries(
    found.flatMap((match) => (match?.[1] ? [[match[1], [Number(match[2]), Number(match[3])]]] : [])),
  )
}

function answerOf({ text, ok }: ExpertHeard): number | null {
  const number = ok ? /answer: (-?\d+(?:\.\d+)?)/.exec(text)?.[1] : undefined
  return number === undefined ? null : Number(number)
}

function conclusion(answer: number | null, choices: readonly string[]): string {
  if (answer === null) return 'The tools found no value; I answer with a guess.'
  return choices.length > 0 ? `The solver finds ${answer}; I take the nearest choice.` : `The solver finds ${answer}.`
}

function answerText(question: string, choices: readonly string[], answer: number | null): string {
  if (choices.length > 0) {
    const far = (choice: string): number => Math.abs(Number.parseFloat(choice) - (answer ?? 0))
    const sorted = answer === null ? choices : choices.toSorted((a, b) => far(a) - far(b))
    return sorted[0] ?? ''
  }
  if (answer === null) return '10'
  return String(Number(answer.toFixed(/one decimal place/.test(question) ? 1 : 2)))
}
