import { pictureOf } from './request-picture.ts'
import { readDiagram } from '#services/gym/geometry/diagram.ts'
import { questionCdl } from '#services/gym/geometry/question-cdl.ts'
import type { Diagram } from '#services/gym/geometry/diagram.ts'
import { ToolFailure, type LocalTool, type ToolOutput, type ToolRequest } from '#services/gym/tools/tool.ts'

/** A problem in all four kinds of CDL, with the places of the points in pixels. */
export type Formalized = {
  readonly construction_cdl: readonly string[]
  readonly image_cdl: readonly string[]
  readonly text_cdl: readonly string[]
  readonly goal_cdl: string | null
  readonly points: Readonly<Record<string, readonly [number, number]>>
}

/** The words of the problem: given in the call, or the question of the item. */
export function wordsOf({ arguments: given, question }: ToolRequest): string {
  for (const name of ['problem', 'query', 'question']) {
    const words = given[name]
    if (typeof words === 'string' && words.trim() !== '') return words
  }
  return question
}

/** Reads picture and words. Throws ToolFailure (`NoDiagram`) for a picture without named lines. */
export function formalized(request: ToolRequest): Formalized {
  const words = wordsOf(request)
  const diagram = diagramOf(request, words)
  return { ...diagram, ...questionCdl(words) }
}

function diagramOf(request: ToolRequest, words: string): Pick<Formalized, 'construction_cdl' | 'image_cdl' | 'points'> {
  const diagram: Diagram = readDiagram(pictureOf(request), words)
  if (diagram.construction_cdl.length === 0) {
    throw new ToolFailure('NoDiagram', 'no line between two lettered points was found in the picture')
  }
  const points = Object.entries(diagram.places).map(([name, [x, y]]) => [name, [tenth(x), tenth(y)]] as const)
  return {
    construction_cdl: diagram.construction_cdl,
    image_cdl: diagram.image_cdl,
    points: Object.fromEntries(points),
  }
}

/** All of it in words, one kind a line. */
export function formalizedText(found: Formalized): string {
  const points = Object.entries(found.points).map(([name, [x, y]]) => `${name}(${x},${y})`)
  return [
    `construction_cdl: ${found.construction_cdl.join('; ')}`,
    `image_cdl: ${found.image_cdl.join('; ')}`,
    `text_cdl: ${found.text_cdl.join('; ')}`,
    `goal_cdl: ${found.goal_cdl ?? ''}`,
    `points: ${points.join('; ')}`,
  ].join('\n')
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10
}

function told(name: string, literals: readonly string[], output: ToolOutput['output']): Promise<ToolOutput> {
  return Promise.resolve({ text: `${name}: ${literals.join('; ') || 'nothing'}`, output })
}

export const constructionCdl: LocalTool = async (request) => {
  const { construction_cdl, points } = diagramOf(request, request.question)
  return told('construction_cdl', construction_cdl, { construction_cdl, points })
}

export const imageCdl: LocalTool = async (request) => {
  const { image_cdl } = diagramOf(request, request.question)
  return told('image_cdl', image_cdl, { image_cdl })
}

export const textCdl: LocalTool = async (request) => {
  const { text_cdl } = questionCdl(wordsOf(request))
  return told('text_cdl', text_cdl, { text_cdl })
}

export const goalCdl: LocalTool = async (request) => {
  const { goal_cdl } = questionCdl(wordsOf(request))
  return told('goal_cdl', goal_cdl === null ? [] : [goal_cdl], { goal_cdl })
}
