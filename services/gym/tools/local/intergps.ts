import { formalized, formalizedText, wordsOf } from './cdl.ts'
import { questionCdl } from '#services/gym/geometry/question-cdl.ts'
import { solvedProblem, verifiedValue } from '#services/gym/geometry/solver.ts'
import { ToolFailure, type LocalTool, type ToolOutput, type ToolRequest } from '#services/gym/tools/tool.ts'
import type { Place } from '#services/gym/geometry/figure.ts'
import type { Problem } from '#services/gym/geometry/solver.ts'

/** Symbolic geometry: solve, formalize, verify. What the call does not give is read from picture and question. */
export const intergps: LocalTool = async (request) => {
  if (request.task === 'formalize') {
    const found = formalized(request)
    return { text: formalizedText(found), output: found }
  }
  const problem = problemOf(request)
  return guarded(() => {
    if (request.task !== 'verify') return solvedOutput(problem, request.choices)
    const verified = verifiedValue(problem, Number(request.arguments['answer']))
    const words =
      verified === null ? 'cannot be told from the facts' : verified ? 'follows from the facts' : 'does not follow'
    return { text: `The value ${words}.`, output: { verified } }
  })
}

/** Reads a diagram and its question into literals, or solves them at once. */
export const diagramFormalizer: LocalTool = async (request) => {
  const found = formalized(request)
  if (request.task === 'formalize') return { text: formalizedText(found), output: found }
  const literals = [...found.construction_cdl, ...found.image_cdl, ...found.text_cdl]
  const problem = { literals, goal: wanted(found.goal_cdl), places: found.points }
  return guarded(() => solvedOutput(problem, request.choices))
}

function problemOf(request: ToolRequest): Problem {
  const given = request.arguments
  const text = given['text_logic_forms'] as readonly string[] | undefined
  const diagram = given['diagram_logic_forms'] as readonly string[] | undefined
  const places = given['point_positions'] as Readonly<Record<string, Place>> | undefined
  const words = questionCdl(wordsOf(request))
  const goal = wanted(typeof given['goal'] === 'string' ? given['goal'] : words.goal_cdl)
  if (diagram !== undefined) {
    return { literals: [...diagram, ...(text ?? words.text_cdl)], goal, ...(places && { places }) }
  }
  const read = formalized(request)
  const literals = [...read.construction_cdl, ...read.image_cdl, ...(text ?? read.text_cdl)]
  return { literals, goal, places: places ?? read.points }
}

function wanted(goal: string | null): string {
  if (goal !== null && goal !== '') return goal
  throw new ToolFailure(
    'InvalidInput',
    'the question asks for nothing that is known here; give "goal", such as Value(LengthOfLine(AB))',
  )
}

function solvedOutput(problem: Problem, choices: readonly string[]): ToolOutput {
  const { value, steps, unread, method, consistent } = solvedProblem(problem)
  const answer = value === null ? null : Number(value.toFixed(4))
  const choice = answer === null ? null : nearestChoice(answer, choices)
  const how = steps.length === 0 ? '' : ` Steps: ${steps.join(', ')}.`
  const text =
    answer === null
      ? `The facts do not determine ${problem.goal}.${how}`
      : `answer: ${answer}${choice === null ? '' : ` (choice ${choice})`}.${how}`
  const doubt = consistent ? '' : ' The facts contradict one another.'
  return { text: `${text}${doubt}`, output: { answer, choice, goal: problem.goal, method, steps, consistent, unread } }
}

/** The choice whose number is nearest, if within 1.5 %. */
function nearestChoice(answer: number, choices: readonly string[]): string | null {
  const numbers = choices.map((choice) => ({ choice, far: Math.abs(Number.parseFloat(choice) - answer) }))
  const best = numbers.filter(({ far }) => Number.isFinite(far)).toSorted((a, b) => a.far - b.far)[0]
  return best && best.far <= 0.015 * Math.max(3, Math.abs(answer)) ? best.choice : null
}

function guarded(work: () => ToolOutput): ToolOutput {
  try {
    return work()
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError)
      throw new ToolFailure('InvalidInput', error.message)
    throw error
  }
}
