import fc from 'fast-check'
import { Value } from 'typebox/value'
import { afterAll, describe, expect, it } from 'vitest'
import { definitions, registry, toolSchemas } from '#services/gym/tools/registry.ts'
import { openTools } from '#services/gym/tools/open.ts'

const tools = openTools()
const context = { images: new Map<string, Uint8Array>(), question: 'How many?', choices: [] }
afterAll(() => tools.close())

describe('the registry', () => {
  // The names in the paper's appendix B, each in its subset.
  it.each([
    ['GroundingDINO', 'Detection'],
    ['SAM', 'Segmentation'],
    ['EasyOCR', 'OCR'],
    ['UniChart', 'ChartToTable'],
    ['DePlot', 'ChartToTable'],
    ['ChartMoE.to_table', 'ChartToTable'],
    ['ChartMoE.extract_data', 'ChartToTable'],
    ['OpenCV', 'ChartToSVG'],
    ['ChartDet', 'ChartToSVG'],
    ['ChartOCR', 'ChartToSVG'],
    ['ChartDet.to_scene_graph', 'ChartToSCG'],
    ['ChartOCR.to_scene_graph', 'ChartToSCG'],
    ['ChartAssistant', 'CaptioningColor'],
    ['ChartVLM', 'CaptioningColor'],
    ['ChartMoE.answer', 'QAAnalysis'],
    ['ChartMoE.analyze', 'QAAnalysis'],
    ['ChartMoE.describe', 'QAAnalysis'],
    ['image_cdl', 'CDL'],
    ['text_cdl', 'CDL'],
    ['construction_cdl', 'CDL'],
    ['goal_cdl', 'CDL'],
    ['Inter-GPS', 'SymbolicParsing'],
    ['DiagramFormalizer', 'SymbolicParsing'],
    ['G-LLaVA', 'Multimodal'],
    ['MultiMath', 'Math'],
  ])('knows %s of %s', (name, subset) => {
    const found = registry().find(name, null)
    expect('details' in found ? (found.details.subset ?? found.definition.subset) : found.message).toBe(subset)
  })

  it('knows the names of the released code too', () => {
    for (const name of ['groundingdino', 'sam2', 'diagramformalizer', 'multimath_server', 'image_zoom_in_tool']) {
      expect(registry().find(name, null)).toHaveProperty('details')
    }
  })

  it('refuses two tools of one name', () => {
    const [first] = definitions
    expect(() => registry([...definitions, { ...first!, name: 'EASY-OCR', aliases: [] }])).toThrow('two tools')
  })

  it('shows only tools that can be called', () => {
    const shown = tools.schemas.map((each) => (each['function'] as { name: string }).name)
    expect(shown).toContain('easyocr')
    expect(shown).not.toContain('deplot')
    expect(toolSchemas(definitions)).toHaveLength(definitions.length)
  })
})

describe('the shapes of a call', () => {
  it.each([
    [1, { tool: 'easyocr', task: 'recognize_only' }],
    [2, { tool: 'easyocr', task: 'recognize_only', arguments: {} }],
    [2, { tool: 'grounding_dino', task: 'detect', arguments: 'red cube' }],
    [3, { tool: 'easyocr', parameters: { min_confidence: 0.5 } }],
    [4, { name: 'image_zoom_in_tool', arguments: { bbox_2d: [0, 0, 20, 20] } }],
    // The task among the arguments: as in the released environment, and as tools are offered to chat templates.
    [3, { tool: 'chartmoe', parameters: { task: 'to_table' } }],
    [3, { tool: 'easyocr', parameters: { task: 'extract_by_region', region: [0, 0, 20, 20] } }],
    [4, { name: 'grounding_dino', arguments: { task: 'detect', caption: 'red cube' } }],
    [4, { name: 'grounding_dino', arguments: { task: 'detect', arguments: { caption: 'red cube' } } }],
    // Native calls bear their arguments as text.
    [4, { name: 'grounding_dino', arguments: '{"caption": "red cube"}' }],
    // A free prompt is for the task that takes one.
    [3, { tool: 'chartmoe', prompt: 'Which bar is highest?' }],
  ])('shape %i is taken: %j', async (shape, call) => {
    // There is no picture, which only a call that was carried out can find.
    for (const written of [call, JSON.stringify(call)]) {
      expect(await tools.call(written, context)).toMatchObject({
        call_shape: shape,
        schema_ok: true,
        error_type: 'NoImageError',
      })
    }
  })
})

it('a task among the arguments is the task, and none of the arguments', async () => {
  const flat = await tools.call({ name: 'dino', arguments: { task: 'detect', caption: 'cube' } }, context)
  expect([flat.task, flat.arguments]).toEqual(['detect', { caption: 'cube' }])
  const asked = await tools.call({ tool: 'chartmoe', prompt: 'Which?' }, context)
  expect([asked.task, asked.arguments]).toEqual(['answer', { prompt: 'Which?' }])
})

it('a value of a wrong type in any argument of any tool is E3, and the tool is not reached', async () => {
  let checked = 0
  for (const { name, tasks } of definitions) {
    for (const [task, { arguments: schema }] of Object.entries(tasks)) {
      const fields = Object.keys((schema as { properties?: object }).properties ?? {})
      const sound = Value.Create(schema) as Record<string, unknown>
      for (const field of fields) {
        for (const value of [{ not: 'a value' }, true, [[[null]]], null]) {
          const result = await tools.call({ tool: name, task, arguments: { ...sound, [field]: value } }, context)
          expect([name, task, field, result.status]).toEqual([name, task, field, 'invalid'])
          expect(result.error_codes).toContain('E3')
          expect(result.schema_errors.every(({ path }) => path.startsWith('arguments.'))).toBe(true)
          checked++
        }
      }
    }
  }
  expect(checked).toBeGreaterThan(200)
})

describe('what is wrong with a call', () => {
  it.each([
    ['not JSON', '{"tool": "easyocr", ', 'E1'],
    ['a list', '["easyocr"]', 'E1'],
    ['no tool', { task: 'to_table' }, 'E1'],
    ['a required argument is missing', { tool: 'grounding_dino', arguments: {} }, 'E1'],
    ['an argument beside the tool', { tool: 'easyocr', task: 'recognize_only', min_confidence: 0.5 }, 'E1'],
    ['arguments in arguments', { tool: 'grounding_dino', arguments: { arguments: { caption: 'cube' } } }, 'E1'],
    [
      'a value in an object of its own name',
      { tool: 'grounding_dino', arguments: { caption: { caption: 'cube' } } },
      'E1',
    ],
    ['a list for arguments', { tool: 'easyocr', arguments: ['x'] }, 'E1'],
    ['both arguments and parameters', { tool: 'easyocr', arguments: {}, parameters: {} }, 'E1'],
    ['a prompt beside arguments', { tool: 'chartmoe', prompt: 'Which?', arguments: {} }, 'E1'],
    ['two tasks', { tool: 'easyocr', task: 'recognize_only', arguments: { task: 'detect_only' } }, 'E2'],
    ['an argument of a name that all objects have', { tool: 'easyocr', arguments: { constructor: 1 } }, 'E2'],
    ['an argument named __proto__', '{"tool": "easyocr", "arguments": {"__proto__": {}}}', 'E2'],
    ['an unknown argument', { tool: 'grounding_dino', arguments: { caption: 'cube', box_treshold: 0.3 } }, 'E2'],
    ['a value of the wrong type', { tool: 'grounding_dino', arguments: { caption: 7 } }, 'E3'],
    ['a value out of range', { tool: 'grounding_dino', arguments: { caption: 'cube', box_threshold: 7 } }, 'E3'],
    [
      'a list of the wrong length',
      { tool: 'easyocr', task: 'extract_by_region', arguments: { region: [1, 2, 3] } },
      'E3',
    ],
    ['an unknown task', { tool: 'easyocr', task: 'recognise_only' }, 'E3'],
    ['a pasted picture', { tool: 'grounding_dino', arguments: { caption: 'iVBORw0KGgo'.repeat(5000) } }, 'E3'],
    ['no such tool', { tool: 'easiocr_pro_max_2000' }, 'NO_TOOL'],
  ])('%s', async (_, call, code) => {
    const result = await tools.call(call, context)
    expect(result.error_codes).toEqual([code])
    expect(result.status).toBe(code === 'NO_TOOL' ? 'not_found' : 'invalid')
    expect(result.observation.length).toBeLessThan(3000)
  })

  it('names the argument that was meant', async () => {
    const result = await tools.call({ tool: 'dino', arguments: { caption: 'cube', box_treshold: 0.3 } }, context)
    expect(result.observation).toContain('did you mean box_threshold?')
  })

  it('tells the first of very many faults, and names of any length in short', async () => {
    const strange = Object.fromEntries(Array.from({ length: 5000 }, (_, place) => [`k${place}`, place]))
    for (const call of [
      { tool: 'easyocr', arguments: strange },
      { tool: 'easyocr', ...strange },
      { tool: 'easyocr', task: 'x'.repeat(90_000) },
      { tool: 'x'.repeat(90_000) },
    ]) {
      const { schema_errors, observation, name, task } = await tools.call(call, context)
      expect(JSON.stringify([schema_errors, observation, name, task]).length).toBeLessThan(10_000)
    }
  })

  it('tells two faults with both codes', async () => {
    const result = await tools.call({ tool: 'dino', arguments: { caption: 7, colour: 'red' } }, context)
    expect(result.error_codes.toSorted()).toEqual(['E2', 'E3'])
  })

  it('is told, whatever is written, and never thrown', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.json(),
          fc.string(),
          fc.jsonValue(),
          fc.record({ tool: fc.constant('easyocr'), arguments: fc.jsonValue() }),
        ),
        async (written) => {
          const result = await tools.call(written, context)
          expect(result.observation).not.toBe('')
        },
      ),
      { numRuns: 200 },
    )
  })

  it('is told of a call that is nested 100,000 levels deep', async () => {
    const written = `{"tool": "easyocr", "arguments": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`
    expect((await tools.call(written, context)).error_codes).toEqual(['E1'])
  })
})
