import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Type } from 'typebox'
import { renderedPng } from '#services/gym/picture/render.ts'
import { checkOf } from '#services/gym/tools/arguments.ts'
import { definitions } from '#services/gym/tools/registry.ts'
import { addressesOf } from '#services/gym/tools/remote/addresses.ts'
import { remoteTools } from '#services/gym/tools/remote/remote.ts'
import { RemoteFailure, type RemoteRequest, type RemoteTool } from '#services/gym/tools/tools.ts'
import type { ToolDefinition } from '#services/gym/tools/tool.ts'
import { openTools } from '#services/gym/tools/open.ts'
import { type Fault, toolServer, type ToolServer } from '#tests/support/tool-server.ts'

const detector: ToolDefinition = {
  name: 'GroundingDINO',
  aliases: ['grounding_dino'],
  family: 'Perception',
  subset: 'Detection',
  description: 'finds things by words',
  tasks: {
    detect: {
      description: 'boxes of what the caption names',
      arguments: Type.Object({ caption: Type.String() }),
      output: Type.Object({ boxes: Type.Array(Type.Array(Type.Number())) }),
    },
    words: {
      description: 'says what it sees',
      arguments: Type.Object({}),
      output: Type.Object({ processed_output: Type.String(), n: Type.Optional(Type.Number()) }),
    },
  },
  default_task: 'detect',
  timeout_ms: 5_000,
  concurrency: 4,
  retries: 2,
  runs: 'remote',
}
const local: ToolDefinition = { ...detector, name: 'EasyOCR', aliases: ['easyocr'], runs: 'local' }
const picture = renderedPng('<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"></svg>')
const request: RemoteRequest = {
  definition: detector,
  task: 'detect',
  arguments: { caption: 'red bar' },
  context: { images: new Map([[picture.sha256, picture.bytes]]), question: 'How many?', choices: ['1', '2'] },
}
const wires = ['verl-tool', 'openai'] as const

let server: ToolServer
beforeAll(async () => {
  server = await toolServer({ boxes: [[1, 2, 3, 4]] })
})
afterAll(() => server.close())

function toolAt(wire: (typeof wires)[number], behaviour: Fault | 'well', more: object = {}): RemoteTool {
  const url = wire === 'openai' ? `${server.url(behaviour)}/v1` : server.url(behaviour)
  const { remotes } = remoteTools(JSON.stringify({ grounding_dino: { url, wire, ...more } }), [detector, local])
  return remotes[0] as RemoteTool
}
const call = (tool: RemoteTool, signal = AbortSignal.timeout(20_000)) => tool.call(request, signal)
const failure = async (tool: RemoteTool, signal?: AbortSignal): Promise<RemoteFailure> => {
  const thrown: unknown = await call(tool, signal).then(
    (output) => output,
    (error: unknown) => error,
  )
  if (thrown instanceof RemoteFailure) return thrown
  throw new Error(`no RemoteFailure: ${JSON.stringify(thrown)}`)
}

describe.each(wires)('a remote tool over %s', (wire) => {
  it('gives what the tool said, as the object that it is', async () => {
    expect((await call(toolAt(wire, 'well'))).output).toEqual({ boxes: [[1, 2, 3, 4]] })
  })

  it('sends picture, question and choices, and nothing that tells the answer', async () => {
    await call(toolAt(wire, 'well', { key: 'k1' }))
    const asked = server.asked.at(-1)
    expect(asked?.key).toBe('Bearer k1')
    const sent = JSON.stringify(asked?.body)
    expect(sent).toContain(Buffer.from(picture.bytes).toString('base64'))
    expect(sent).toContain('How many?')
    expect(sent).toContain('red bar')
    expect(sent).not.toMatch(/evidence|"answer"|item_id/)
  })

  it('sends the same bytes for the same call', async () => {
    await call(toolAt(wire, 'well'))
    await call(toolAt(wire, 'well'))
    expect(server.asked.at(-1)?.body).toEqual(server.asked.at(-2)?.body)
  })

  it.each([
    ['500', 'infra', 'HTTPError'],
    ['400', 'tool_error', 'HTTPError'],
    ['cut-off', 'infra', 'ConnectionError'],
    ['garbage', 'bad_output', 'JSONDecodeError'],
    ['wrong-wire', 'bad_output', 'APIError'],
    ['huge', 'bad_output', 'OutputTooLarge'],
  ] as const)('tells %s as %s, %s', async (fault, kind, errorType) => {
    expect(await failure(toolAt(wire, fault))).toMatchObject({ kind, error_type: errorType })
  })

  it('ends when it is told to, however slow the server is', async () => {
    expect(await failure(toolAt(wire, 'slow'), AbortSignal.timeout(50))).toMatchObject({
      kind: 'infra',
      error_type: 'Timeout',
    })
  })

  it('hands on an answer of another schema, for the caller to check', async () => {
    expect((await call(toolAt(wire, 'wrong-schema'))).output).toEqual({ never: 'asked for' })
  })

  it('says so where nobody listens', async () => {
    const gone = await toolServer({})
    await gone.close()
    const { remotes } = remoteTools(JSON.stringify({ GroundingDINO: { url: gone.url('well'), wire } }), [detector])
    expect(await failure(remotes[0] as RemoteTool)).toMatchObject({ kind: 'infra', error_type: 'ConnectionError' })
  })
})

describe('a verl-tool router', () => {
  it('that knows no such tool is no fault of its server', async () => {
    const told = await failure(toolAt('verl-tool', 'refuses'))
    expect(told.kind).toBe('tool_error')
    expect(told.message).toContain('no tool matches')
  })

  it('whose tool raised ends the trajectory, which is a fault of its server', async () => {
    expect(await failure(toolAt('verl-tool', 'raises'))).toMatchObject({ kind: 'infra', error_type: 'APIError' })
  })
})

it('puts plain words into the one text that the schema asks for', async () => {
  const words = await toolServer({})
  await words.close()
  const { outputOf } = await import('#services/gym/tools/remote/said.ts')
  expect(outputOf('two bars', detector, 'words').output).toEqual({ processed_output: 'two bars' })
  expect(outputOf('two bars', detector, 'detect').output).toEqual({ text: 'two bars' })
  expect(outputOf('```json\n{"boxes": []}\n```', detector, 'detect').output).toEqual({ boxes: [] })
})

describe('STEPSTORE_GYM_TOOLS', () => {
  const read = (value: unknown) => () =>
    addressesOf(typeof value === 'string' ? value : JSON.stringify(value), [detector, local])
  const url = 'http://127.0.0.1:5000'

  it('sets limits of a tool in place of its own', () => {
    const setting = JSON.stringify({
      GroundingDINO: { url, wire: 'openai', timeout_ms: 900, retries: 0, concurrency: 1 },
    })
    expect(remoteTools(setting, [detector, local]).definitions[0]).toMatchObject({
      timeout_ms: 900,
      retries: 0,
      concurrency: 1,
    })
  })

  it('may name a tool that runs here: the address goes before it, and words are an answer too', async () => {
    const words = await toolServer({ processed_output: 'a | b' })
    const setting = { ChartMoE: { url: words.url('well'), wire: 'verl-tool' }, SAM: { url, wire: 'openai' } }
    const { remotes, definitions: known } = remoteTools(JSON.stringify(setting), definitions)
    expect(remotes.map(({ tool }) => tool)).toEqual(['chartmoe', 'sam'])
    const tools = openTools({ definitions: known, remotes })
    const told = await tools.call({ tool: 'ChartMoE', task: 'to_table' }, request.context)
    expect(told).toMatchObject({ status: 'ok', tool: 'chartmoe', server: new URL(words.url('well')).host })
    expect(words.asked).toHaveLength(1)
    // Words are no boxes.
    const checked = checkOf(known.find(({ name }) => name === 'sam')!.tasks['everything_segment']!.output)
    expect(checked({ processed_output: 'a mask' })).not.toEqual([])
    await tools.close()
    await words.close()
  })

  it('reaches every tool that the paper names, by its name there', () => {
    const named =
      'GroundingDINO SAM EasyOCR UniChart DePlot ChartMoE ChartDet ChartOCR ChartAssistant ChartVLM G-LLaVA MultiMath DiagramFormalizer Inter-GPS'.split(
        ' ',
      )
    const setting = Object.fromEntries(named.map((name) => [name, { url, wire: 'verl-tool' }]))
    expect(remoteTools(JSON.stringify(setting), definitions).remotes).toHaveLength(named.length)
  })

  it('unset is no remote tool', () => {
    expect(remoteTools('', [detector, local]).remotes).toEqual([])
  })

  it.each([
    ['no JSON', '{', 'is no JSON'],
    ['a list', [], 'is no JSON object'],
    ['a mistyped tool', { GroundingDIMO: { url, wire: 'openai' } }, 'no tool "GroundingDIMO"'],
    ['a mistyped field', { GroundingDINO: { url, wire: 'openai', timeoutms: 1 } }, 'unknown field "timeoutms"'],
    ['an unknown wire', { GroundingDINO: { url, wire: 'grpc' } }, 'names no wire'],
    ['an address that is none', { GroundingDINO: { url: 'ftp://x', wire: 'openai' } }, 'no url that can be used'],
    [
      'a password in the address',
      { GroundingDINO: { url: 'http://me:pass@x', wire: 'openai' } },
      'no url that can be used',
    ],
    ['a time out of range', { GroundingDINO: { url, wire: 'openai', timeout_ms: 5 } }, 'timeout_ms is not possible'],
    [
      'a tool named twice',
      { GroundingDINO: { url, wire: 'openai' }, grounding_dino: { url, wire: 'openai' } },
      'twice',
    ],
  ])('refuses %s', (_, value, detail) => {
    expect(read(value)).toThrow(detail)
  })

  it('names the nearest tool', () => {
    try {
      read({ GroundingDIMO: { url, wire: 'openai' } })()
      expect.unreachable()
    } catch (error) {
      expect((error as { hint?: string }).hint).toContain('GroundingDINO')
    }
  })
})

describe('as an episode calls them', () => {
  const called = async (setting: object, definition: ToolDefinition = detector) => {
    const tools = openTools(remoteTools(JSON.stringify(setting), [definition]))
    try {
      return await tools.call(
        JSON.stringify({ tool: 'grounding_dino', task: 'detect', arguments: { caption: 'bar' } }),
        request.context,
      )
    } finally {
      await tools.close()
    }
  }
  const at = (behaviour: Fault | 'well', more: object = {}) => ({
    GroundingDINO: { url: server.url(behaviour), wire: 'verl-tool', ...more },
  })

  it('one without an address is an observation that says so', async () => {
    const { status, error_codes, observation } = await called({})
    expect([status, error_codes]).toEqual(['infra', ['INFRA']])
    expect(observation).toContain('no address is set for it')
  })

  it('one that answers is told with its server', async () => {
    const { status, output_json, server: told } = await called(at('well'))
    expect([status, output_json]).toEqual(['ok', { boxes: [[1, 2, 3, 4]] }])
    expect(told).toBe(new URL(server.url('well')).host)
  })

  it('one that fails is tried again as often as its address says, and then is an observation', async () => {
    const before = server.asked.length
    const { status, error_type, attempt } = await called(at('500', { retries: 1 }))
    expect([status, error_type, attempt]).toEqual(['infra', 'HTTPError', 1])
    expect(server.asked.length - before).toBe(2)
  })

  it('one that was away for a moment is answered by the next try', async () => {
    // Every other request is refused; which one is first depends on how many came before.
    const { status } = await called(at('flaky', { retries: 2 }))
    expect(status).toBe('ok')
  })

  it('one that says no is not asked again', async () => {
    const before = server.asked.length
    expect((await called(at('400', { retries: 3 }))).status).toBe('tool_error')
    expect(server.asked.length - before).toBe(1)
  })

  it('one that is slow is a time-out after the time that its address says', async () => {
    expect(await called(at('slow', { timeout_ms: 100, retries: 0 }))).toMatchObject({
      status: 'timeout',
      error_type: 'Timeout',
      error_codes: ['INFRA'],
    })
  })

  it.each(['wrong-schema', 'garbage', 'huge'] as const)('one that answers %s is E5', async (fault) => {
    expect(await called(at(fault, { retries: 0 }))).toMatchObject({ error_codes: ['E5'], error_type: 'InvalidOutput' })
  })
})
