import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { detection } from '#services/gym/tools/definitions/detection.ts'
import { zoom } from '#services/gym/tools/definitions/zoom.ts'
import { openTools } from '#services/gym/tools/open.ts'
import { RemoteFailure, type RemoteTool, type Tools } from '#services/gym/tools/tools.ts'

const planted = fileURLToPath(import.meta.resolve('#tests/support/planted-tools.ts'))
const context = { images: new Map<string, Uint8Array>(), question: 'What?', choices: ['a', 'b'] }
const call = (label: string) => ({ tool: 'deepeyes', arguments: { bbox_2d: [0, 0, 9, 9], label } })

let open: Tools | null = null
afterEach(() => open?.close())
function toolsWith(options: Parameters<typeof openTools>[0] = {}): Tools {
  const definitions = zoom.map((each) => ({ ...each, timeout_ms: 1000 }))
  open = openTools({ definitions, planted, threads: 1, ...options })
  return open
}

describe('a tool in its thread', () => {
  it('that hangs is killed, and the next call is answered', async () => {
    const tools = toolsWith()
    const hung = await tools.call(call('hang'), context)
    expect(hung).toMatchObject({ status: 'timeout', error_type: 'Timeout', error_codes: ['INFRA'] })
    expect(await tools.call(call('well'), context)).toMatchObject({ status: 'ok' })
  })

  it('that ends its thread costs that call alone', async () => {
    const tools = toolsWith()
    const [lost, well] = await Promise.all([tools.call(call('exit'), context), tools.call(call('well'), context)])
    expect(lost).toMatchObject({ status: 'infra', error_codes: ['INFRA'] })
    expect(well).toMatchObject({ status: 'ok', observation: 'image_zoom_in_tool well' })
  })

  it('that throws or fails is a tool_error with no code', async () => {
    const tools = toolsWith()
    expect(await tools.call(call('throw'), context)).toMatchObject({
      status: 'tool_error',
      error_type: 'ToolCrash',
      error_codes: [],
    })
    expect(await tools.call(call('fail'), context)).toMatchObject({
      status: 'tool_error',
      error_type: 'InvalidInput',
      error_codes: [],
    })
  })

  it('whose answer does not fit its schema is E5', async () => {
    const result = await toolsWith().call(call('garbage'), context)
    expect(result).toMatchObject({ status: 'tool_error', error_codes: ['E5'], output_schema_ok: false })
  })

  it('sees pictures, question and choices, and nothing else of the item', async () => {
    const told = { ...context, key: { answer: ['42'] }, scene: { things: [] } }
    expect((await toolsWith().call(call('keys'), told)).observation).toBe('choices images question')
  })

  it('is refused when too many wait, and stops waiting when aborted', async () => {
    const tools = toolsWith({ queueMax: 1, cacheBytesMax: 0 })
    const stop = new AbortController()
    const first = tools.call(call('slow'), context, stop.signal)
    const second = await tools.call(call('well'), context)
    expect(second).toMatchObject({ status: 'infra', error_type: 'Overloaded' })
    stop.abort()
    expect(await first).toMatchObject({ status: 'infra', error_type: 'Aborted' })
  })

  it('runs once for the same call, and again when nothing is kept', async () => {
    const kept = toolsWith()
    const [first, second] = [await kept.call(call('well'), context), await kept.call(call('well'), context)]
    expect([first.cache_hit, second.cache_hit]).toEqual([false, true])
    expect({ ...second, cache_hit: false, latency_ms: 0, queued_ms: 0 }).toEqual({
      ...first,
      latency_ms: 0,
      queued_ms: 0,
    })
    await kept.close()
    const fresh = toolsWith({ cacheBytesMax: 0 })
    await fresh.call(call('well'), context)
    expect((await fresh.call(call('well'), context)).cache_hit).toBe(false)
  })

  it('under way when the tools close ends as infra', async () => {
    const tools = toolsWith()
    const under = tools.call(call('hang'), context)
    await tools.close()
    expect(await under).toMatchObject({ status: 'infra', error_type: 'Closed' })
  })
})

describe('a remote tool', () => {
  const output = { boxes: [], phrases: [], logits: [], num_detections: 0, size: [1, 1] }
  function remote(
    answer: (attempt: number, signal: AbortSignal) => Promise<typeof output>,
  ): RemoteTool & { calls: number; most: number } {
    let running = 0
    return {
      tool: 'grounding_dino',
      server: 'http://127.0.0.1:1',
      calls: 0,
      most: 0,
      async call(_, signal) {
        running++
        this.most = Math.max(this.most, running)
        try {
          return { text: 'said', output: await answer(this.calls++, signal) }
        } finally {
          running--
        }
      },
    }
  }
  const asked = { tool: 'dino', arguments: { caption: 'cube' } }
  const definitions = detection.map((each) => ({ ...each, retries: 2, timeout_ms: 300, concurrency: 2 }))

  it('is tried again after a fault of its server', async () => {
    const flaky = remote((attempt) =>
      attempt < 2 ? Promise.reject(new RemoteFailure('infra', 'HTTPError', '500')) : Promise.resolve(output),
    )
    const result = await toolsWith({ definitions, remotes: [flaky] }).call(asked, context)
    expect(result).toMatchObject({ status: 'ok', attempt: 2, server: 'http://127.0.0.1:1' })
  })

  it('is not tried again after it said no', async () => {
    const no = remote(() => Promise.reject(new RemoteFailure('tool_error', 'InvalidInput', 'no')))
    expect(await toolsWith({ definitions, remotes: [no] }).call(asked, context)).toMatchObject({
      status: 'tool_error',
      attempt: 0,
    })
  })

  it('that does not heed its signal is left behind', async () => {
    const deaf = remote(() => new Promise(() => undefined))
    const once = definitions.map((each) => ({ ...each, retries: 0 }))
    expect(await toolsWith({ definitions: once, remotes: [deaf] }).call(asked, context)).toMatchObject({
      status: 'timeout',
      error_codes: ['INFRA'],
    })
  })

  it('is called no more often at once than it takes', async () => {
    const busy = remote(() => new Promise((done) => setTimeout(() => done(output), 5)))
    const tools = toolsWith({ definitions, remotes: [busy] })
    await Promise.all(Array.from({ length: 12 }, () => tools.call(asked, context)))
    expect([busy.calls, busy.most]).toEqual([12, 2])
  })

  it('whose words cannot be read is E5', async () => {
    const garbage = remote(() => Promise.reject(new RemoteFailure('bad_output', 'JSONDecodeError', 'no JSON')))
    expect(await toolsWith({ definitions, remotes: [garbage] }).call(asked, context)).toMatchObject({
      status: 'tool_error',
      error_codes: ['E5'],
    })
  })
})
