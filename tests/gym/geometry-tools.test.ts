import { describe, expect, test } from 'vitest'
import { expert, kinds } from '#services/gym/families/geometry/index.ts'
import { checkedAnswer } from '#services/gym/loop/answer-check.ts'
import { decodedPng } from '#services/gym/picture/decode.ts'
import { renderedPng } from '#services/gym/picture/render.ts'
import { random } from '#services/gym/random.ts'
import { constructionCdl, goalCdl, imageCdl, textCdl } from '#services/gym/tools/local/cdl.ts'
import { diagramFormalizer, intergps } from '#services/gym/tools/local/intergps.ts'
import { ToolFailure } from '#services/gym/tools/tool.ts'
import type { Scene, Style } from '#services/gym/items/item.ts'
import type { ExpertHeard } from '#services/gym/policies/policy.ts'
import type { LocalTool, Pixels, ReadText, ToolRequest } from '#services/gym/tools/tool.ts'

const noText: ReadText = () => Promise.resolve([])
const tools: Record<string, LocalTool> = { diagram_formalizer: diagramFormalizer, intergps }

const drawing = `<svg xmlns="http://www.w3.org/2000/svg" width="420" height="340"><rect width="420" height="340" fill="white"/>
<g stroke="black" stroke-width="2" fill="none"><path d="M60 280 L60 60 L360 280 Z"/><path d="M74 280 L74 266 L60 266"/></g>
<g font-family="Inter" font-size="19"><text x="40" y="300">A</text><text x="40" y="52">B</text><text x="368" y="294">C</text>
<text x="30" y="176">6</text><text x="200" y="306">8</text></g></svg>`

function picture(svg: string): Pixels {
  return decodedPng(renderedPng(svg).bytes)
}

function request(pixels: Pixels | null, question: string, more: Partial<ToolRequest> = {}): ToolRequest {
  return { task: 'solve', arguments: {}, images: pixels ? [pixels] : [], question, choices: [], ...more }
}

/** The literals of a drawing, with the points of each line, length and angle in one order. */
function plain(literals: readonly string[]): Set<string> {
  const sorted = (name: string): string => [name, name.split('').toReversed().join('')].toSorted()[0] ?? name
  return new Set(literals.map((literal) => literal.replaceAll(/(?<=\()[A-Z]{2,}(?=[,)])/g, sorted)))
}

describe('a diagram of known lines', () => {
  test('is read into literals', async () => {
    const drawn = await constructionCdl(request(picture(drawing), ''), noText)
    expect(plain(drawn.output['construction_cdl'] as string[])).toEqual(new Set(['Line(AB)', 'Line(AC)', 'Line(BC)']))
    const written = await imageCdl(request(picture(drawing), ''), noText)
    const expected = ['Equal(LengthOfLine(AB),6)', 'Equal(LengthOfLine(AC),8)', 'Equal(MeasureOfAngle(BAC),90)']
    expect(plain(written.output['image_cdl'] as string[])).toEqual(new Set(expected))
  })

  test('is solved from the picture alone, and by literals alone', async () => {
    const read = await intergps(
      request(picture(drawing), 'Find the length of BC.', { choices: ['9', '10', '11', '12'] }),
      noText,
    )
    expect(read.output).toMatchObject({ answer: 10, choice: '10', goal: 'Value(LengthOfLine(BC))' })
    const given = {
      diagram_logic_forms: [
        'Line(AB)',
        'Line(BC)',
        'Line(CA)',
        'Equal(MeasureOfAngle(BAC),90)',
        'Equal(LengthOfLine(AB),6)',
        'Equal(LengthOfLine(CA),8)',
      ],
    }
    const told = await intergps(request(null, 'Find the length of BC.', { arguments: given }), noText)
    expect(told.output['answer']).toBe(10)
  })

  test('a claim about it is verified', async () => {
    const ask = (answer: number): ToolRequest =>
      request(picture(drawing), 'Find the length of BC.', { task: 'verify', arguments: { answer } })
    expect((await intergps(ask(10), noText)).output).toEqual({ verified: true })
    expect((await intergps(ask(12), noText)).output).toEqual({ verified: false })
  })
})

test('noise and solid ink are refused quickly, not searched for ever', async () => {
  const chance = random(1, 'noise')
  const data = new Uint8Array(400 * 300 * 4).map(() => (chance.chance(0.5) ? 0 : 255))
  const failure = await imageCdl(request({ width: 400, height: 300, data }, ''), noText).catch(
    (error: unknown) => error,
  )
  expect(failure).toMatchObject({ error_type: 'NoDiagram' })
})

test('words are read into literals and a goal', async () => {
  const question =
    'In the diagram, O is the centre of the circle, AB ∥ CD, ∠ABC = (2x+10)° and M is the midpoint of PQ. Find the value of x.'
  const stated = await textCdl(request(null, question), noText)
  expect(stated.output['text_cdl']).toEqual([
    'Circle(O)',
    'ParallelBetweenLine(AB,CD)',
    'Equal(MeasureOfAngle(ABC),2x+10)',
    'IsMidpointOfLine(M,PQ)',
  ])
  expect((await goalCdl(request(null, question), noText)).output).toEqual({ goal_cdl: 'Value(x)' })
})

describe('what cannot be read is a failure that says so', () => {
  test.each([
    ['no picture', request(null, 'Find AB.'), 'NoImageError'],
    [
      'an empty picture',
      request({ width: 60, height: 40, data: new Uint8Array(60 * 40 * 4).fill(255) }, 'Find AB.'),
      'NoDiagram',
    ],
    ['no goal', request(picture(drawing), 'How is the weather?'), 'InvalidInput'],
    [
      'a goal that is no measure',
      request(picture(drawing), '', { arguments: { goal: 'Value(Foo(A))' } }),
      'InvalidInput',
    ],
  ])('%s', async (_name, asked, error_type) => {
    const failure = await intergps(asked, noText).then(
      () => null,
      (error: unknown) => error,
    )
    expect(failure).toBeInstanceOf(ToolFailure)
    expect(failure).toMatchObject({ error_type })
  })
})

async function played(scene: Scene): Promise<boolean> {
  const pixels = picture(scene.svg)
  const heard: ExpertHeard[] = []
  for (let turn = 0; turn < 3; turn++) {
    const move = expert(scene.question, scene.key.choices ?? [], heard)
    if ('answer' in move) return checkedAnswer(move.answer, scene.key).answer_match
    const tool = tools[move.tool]
    if (!tool) throw new Error(`the expert calls ${move.tool}`)
    const call = request(pixels, scene.question, {
      task: move.task,
      arguments: move.arguments,
      choices: scene.key.choices ?? [],
    })
    heard.push({ tool: move.tool, task: move.task, text: (await tool(call, noText)).text, ok: true })
  }
  return false
}

test.each([
  ['ordinary', 11],
  ['unseen', 9],
] as const)('the expert solves items in %s fonts by tools: at least %i of 12', async (style: Style, least) => {
  let right = 0
  for (let index = 0; index < 12; index++) {
    const scene = kinds[index % 3]?.make({ seed: 4, split: 'test', index, level: Math.floor(index / 3) % 3, style })
    if (scene && (await played(scene))) right++
  }
  expect(right).toBeGreaterThanOrEqual(least)
})

test('the expert answers with a guess when tools fail', () => {
  const failed: ExpertHeard = { tool: 'diagram_formalizer', task: 'formalize', text: 'timeout', ok: false }
  const second = expert('Find AB.', ['1', '2'], [failed])
  expect(second).toMatchObject({ tool: 'intergps', arguments: {} })
  expect(expert('Find AB.', ['1', '2'], [failed, failed])).toMatchObject({ answer: '1' })
})
