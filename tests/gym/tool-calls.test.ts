import fc from 'fast-check'
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
