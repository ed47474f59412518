/** How right geometry problems are put into literals and solved. */
import { kinds } from '#services/gym/families/geometry/index.ts'
import { questionCdl } from '#services/gym/geometry/question-cdl.ts'
import { called, isNear, items, listOf, type Bench, type Made } from './tally.ts'

/** All kinds of geometry in turn, `3 x pictures` problems. */
export async function measureGeometry(bench: Bench): Promise<void> {
  for (const made of items(kinds, bench, 3 * bench.pictures)) {
    await literals(bench, made)
    await solutions(bench, made)
  }
}

async function literals(bench: Bench, { scene, picture }: Made): Promise<void> {
  const count = (tool: string, what: string, isRight: boolean): void =>
    bench.count({ tool, family: 'geometry', what }, isRight)
  const all = scene.scene['literals'] as readonly string[]
  const lines = all.flatMap((literal) => /^(?:Line|Collinear)\((\w+)\)$/.exec(literal)?.[1] ?? [])
  const same = canonical(lines)
  const inWords = new Set(questionCdl(scene.question).text_cdl.map(same))
  const drawn = all.filter((literal) => /^(?:Line|Collinear|Cocircular)\(/.test(literal)).map(same)
  const written = all
    .filter((literal) => /^Equal\(.*,[^A-Z]*\)$/.test(literal) && !inWords.has(same(literal)))
    .map(same)
  const construction = await called(bench, picture, { tool: 'construction_cdl' }, scene.question)
  const read = listOf<string>(construction.output, 'construction_cdl').map(same)
  for (const literal of drawn) count('construction_cdl', 'lines and circles parsed', read.includes(literal))
  count(
    'construction_cdl',
    'diagrams with nothing added',
    read.every((literal) => drawn.includes(literal)),
  )
  const image = await called(bench, picture, { tool: 'image_cdl' }, scene.question)
  const measures = listOf<string>(image.output, 'image_cdl').map(same)
  for (const literal of written) count('image_cdl', 'written measures parsed', measures.includes(literal))
  count(
    'image_cdl',
    'diagrams with nothing added',
    measures.every((literal) => written.includes(literal)),
  )
  const text = await called(bench, picture, { tool: 'text_cdl' }, scene.question)
  const said = listOf<string>(text.output, 'text_cdl').map(same)
  const relations = all.filter((literal) => !/^(?:Line|Collinear|Cocircular)\(/.test(literal)).map(same)
  for (const literal of relations.filter((each) => !written.includes(each)))
    count('text_cdl', 'statements in words parsed', said.includes(literal))
  const goal = await called(bench, picture, { tool: 'goal_cdl' }, scene.question)
  count('goal_cdl', 'goals parsed', goal.output['goal_cdl'] === scene.scene['goal'])
  const whole = await called(bench, picture, { tool: 'diagram_formalizer', task: 'formalize' }, scene.question)
  const formal = new Set(
    ['construction_cdl', 'image_cdl'].flatMap((name) => listOf<string>(whole.output, name)).map(same),
  )
  const isWhole = [...drawn, ...written].every((literal) => formal.has(literal))
  count('diagram_formalizer', 'diagrams with every literal parsed (formalize)', isWhole)
}

async function solutions(bench: Bench, { scene, picture }: Made): Promise<void> {
  const value = Number(scene.scene['value'])
  const row = { tool: 'intergps', family: 'geometry' } as const
  const ask = (tool: string, task: string, more: Record<string, unknown> = {}) =>
    called(bench, picture, { tool, task, arguments: more }, scene.question)
  const read = await ask('intergps', 'solve')
  bench.count(
    { ...row, what: 'problems solved from picture and question (to 1 %)' },
    isNear(read.output['answer'], value, 0.01),
  )
  // Which way an angle opens is told by the places of the points alone.
  const { output: placed } = await ask('diagram_formalizer', 'formalize')
  const given = {
    diagram_logic_forms: scene.scene['literals'],
    text_logic_forms: [],
    goal: scene.scene['goal'],
    point_positions: placed['points'],
  }
  const told = await ask('intergps', 'solve', given)
  bench.count(
    { ...row, what: 'problems solved from their true literals and read places (to 1 %)' },
    isNear(told.output['answer'], value, 0.01),
  )
  for (const [answer, isTrue] of [
    [value, true],
    [value * 1.1, false],
  ] as const) {
    const { output } = await ask('intergps', 'verify', { ...given, answer })
    bench.count({ ...row, what: 'right and wrong values told apart (verify)' }, output['verified'] === isTrue)
  }
  const formalizer = await ask('diagram_formalizer', 'solve')
  const isSolved = isNear(formalizer.output['answer'], value, 0.01)
  bench.count({ tool: 'diagram_formalizer', family: 'geometry', what: 'problems solved (to 1 %)' }, isSolved)
}

/** Literals that say the same, written the same: points of a line in either order, arms of an angle by any point on them. */
function canonical(lines: readonly string[]): (literal: string) => string {
  const sorted = (points: string): string => points.split('').toSorted().join('')
  const turned = (points: string): string => points.split('').toReversed().join('')
  const least = (points: string): string => (points < turned(points) ? points : turned(points))
  const arm = (corner: string, point: string): string => {
    const line = lines.find((each) => each.includes(corner) && each.includes(point)) ?? point
    return line.indexOf(point) > line.indexOf(corner) ? line.charAt(line.length - 1) : line.charAt(0)
  }
  const angle = (points: string): string => {
    const corner = points.charAt(1)
    return least(`${arm(corner, points.charAt(0))}${corner}${arm(corner, points.charAt(2))}`)
  }
  return (literal) =>
    literal
      .replace(/^Line\((\w+)\)$/, (_, points: string) => `Line(${least(points)})`)
      .replace(/^Collinear\((\w+)\)$/, (_, points: string) => `Collinear(${least(points)})`)
      .replace(/^Cocircular\((\w),(\w+)\)$/, (_, centre: string, on: string) => `Cocircular(${centre},${sorted(on)})`)
      .replaceAll(/LengthOfLine\((\w\w)\)/g, (_, points: string) => `LengthOfLine(${least(points)})`)
      .replaceAll(/MeasureOfAngle\((\w{3})\)/g, (_, points: string) => `MeasureOfAngle(${angle(points)})`)
}
