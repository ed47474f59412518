import { angleTopics } from './angle-topics.ts'
import { areaTopics } from './area-topics.ts'
import { diagramSvg } from './drawing.ts'
import { drawable, placedLabels } from './labels.ts'
import { drawnLook, pageOf } from './layout.ts'
import { lengthTopics } from './length-topics.ts'
import { goalLiteral, literalsOf, numberText, renamed, trueValue } from './sketch.ts'
import { questionText } from './words.ts'
import { solvedProblem } from '#services/gym/geometry/solver.ts'
import { fontFamilies } from '#services/gym/picture/fonts.ts'
import { random } from '#services/gym/random.ts'
import type { AnswerKey } from '#services/gym/loop/answer-check.ts'
import type { Evidence, ItemKind, ItemRequest, Scene } from '#services/gym/items/item.ts'
import type { Random } from '#services/gym/random.ts'
import type { Label } from './layout.ts'
import type { Given, Sketch, Topic } from './sketch.ts'

const attemptsMax = 60

const levels = [
  { steps: 'one', words_share: 0 },
  { steps: 'two', words_share: 0.25 },
  { steps: 'more', words_share: 0.4 },
] as const

type Drawn = {
  readonly sketch: Sketch
  readonly svg: string
  readonly labels: readonly Label[]
  readonly inWords: readonly Given[]
}

function geometryKind(
  name: string,
  dataset: string,
  topics: readonly (readonly Topic[])[],
  choices: boolean,
): ItemKind {
  const kind = `geometry/${name}`
  return {
    kind,
    family: 'geometry',
    dataset,
    levels,
    make(request) {
      const list = topics[request.level]
      if (!list) throw new RangeError(`${kind} has levels 0 to ${topics.length - 1}`)
      for (let attempt = 0; attempt < attemptsMax; attempt++) {
        const stream = (purpose: string): Random =>
          random(request.seed, request.split, kind, request.index, purpose, request.level, attempt)
        const scene = attempted(request, list, stream, choices)
        if (scene) return scene
      }
      throw new RangeError(`${kind} found no drawing in ${attemptsMax} attempts`)
    },
  }
}

function attempted(
  request: ItemRequest,
  topics: readonly Topic[],
  stream: (purpose: string) => Random,
  choices: boolean,
): Scene | null {
  const sketch = renamed(stream('topic').pick(topics)(stream('values')), request.split, stream('names'))
  const exact = trueValue(sketch)
  // A value near the middle of two tenths could be rounded either way.
  if (exact < 0.5 || Math.abs(((exact * 10) % 1) - 0.5) < 0.03) return null
  if (!solvable(sketch, exact)) return null
  const drawn = drawing(request, sketch, stream)
  if (!drawn) return null
  const wording = stream('wording')
  const rounding = numberText(exact) === String(Number(exact.toFixed(6))) ? '' : ' Round to one decimal place.'
  const question = `${questionText(sketch, drawn.inWords, wording)}${rounding}`
  const key = choices ? choiceKey(sketch, exact, stream('choices')) : numberKey(sketch, exact)
  if (!key) return null
  return {
    svg: drawn.svg,
    question,
    key,
    evidence: evidenceOf(drawn),
    scene: { topic: sketch.topic, literals: literalsOf(sketch), goal: goalLiteral(sketch.goal), value: exact },
  }
}

/** The solver finds the answer from what is given, and the same as the coordinates say. */
function solvable(sketch: Sketch, exact: number): boolean {
  const { value, consistent } = solvedProblem({
    literals: literalsOf(sketch),
    goal: goalLiteral(sketch.goal),
    places: sketch.points,
  })
  return (
    consistent &&
    value !== null &&
    Math.abs(value - exact) < 0.01 * Math.max(1, exact) &&
    numberText(value) === numberText(exact)
  )
}

function drawing(request: ItemRequest, sketch: Sketch, stream: (purpose: string) => Random): Drawn | null {
  const where = stream('where')
  const share = levels[request.level]?.words_share ?? 0
  const moved = sketch.given.filter((given) => !drawable(sketch, given) || where.chance(share))
  // Something must be left to be read in the picture.
  const kept = moved.length < sketch.given.length ? undefined : moved.find((given) => drawable(sketch, given))
  const inWords = moved.filter((given) => given !== kept)
  const inPicture = sketch.given.filter((given) => !inWords.includes(given))
  const layout = stream('layout')
  const look = drawnLook(layout, fontFamilies[request.style], request.style)
  for (let turn = 0; turn < 6; turn++) {
    const page = pageOf(sketch, look, layout)
    const labels = page && placedLabels(page, inPicture)
    if (page && labels) return { sketch, svg: diagramSvg(page, labels, inPicture, stream('noise')), labels, inWords }
  }
  return null
}

function unitOf(sketch: Sketch): '' | '°' {
  return sketch.goal.asks === 'angle' ? '°' : ''
}

function numberKey(sketch: Sketch, exact: number): AnswerKey {
  const unit = unitOf(sketch)
  return { answer: [numberText(exact)], answer_type: 'numeric', ...(unit !== '' && { unit }) }
}

/** Four choices: the answer, and what slips would give, all well apart. */
function choiceKey(sketch: Sketch, exact: number, chance: Random): AnswerKey | null {
  const apart = Math.max(1, exact * 0.04)
  const values = [exact]
  const others = [...chance.shuffle(sketch.slips), exact * 1.25, exact * 0.8, exact + 10, exact * 1.5]
  const whole = Number.isInteger(Number(exact.toFixed(6)))
  for (const other of others) {
    const value = whole ? Math.round(other) : Number(other.toFixed(1))
    const sane = value > 0.5 && (unitOf(sketch) !== '°' || value < 180)
    if (values.length < 4 && sane && values.every((taken) => Math.abs(taken - value) >= apart)) values.push(value)
  }
  if (values.length < 4) return null
  const written = values.map((value) => `${numberText(value)}${unitOf(sketch)}`)
  return { answer: written.slice(0, 1), answer_type: 'choice', choices: chance.shuffle(written) }
}

function evidenceOf({ labels, inWords, sketch }: Drawn): Evidence[] {
  const words = new Set(inWords)
  const given = sketch.given.filter((one) => !words.has(one))
  return labels.map(({ text, box }) => ({
    what: /^[A-Z]$/.test(text) ? `point ${text}` : `measure ${text}`,
    box: [Math.floor(box[0]), Math.floor(box[1]), Math.ceil(box[2]), Math.ceil(box[3])],
    ...(given.length > 0 && { value: text }),
  }))
}

/** Three kinds after GeoQA (angles), Geometry3K (lengths) and UniGeo (calculations of areas and perimeters). */
export const kinds: readonly ItemKind[] = [
  geometryKind('angles', 'stepstore-geoqa', angleTopics, true),
  geometryKind('lengths', 'stepstore-geometry3k', lengthTopics, true),
  geometryKind('areas', 'stepstore-unigeo', areaTopics, false),
]
