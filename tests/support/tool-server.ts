/**
 * A server of remote tools for tests. It speaks verl-tool's router wire and an OpenAI-compatible endpoint, and misbehaves
 * on request: the first part of the path says how, such as /cut-off/get_observation or /slow/v1/chat/completions.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a request is answered with, where the path does not say `well`. */
export const FAULTS = [
  'slow',
  '500',
  '400',
  'cut-off',
  'garbage',
  'wrong-wire',
  'wrong-schema',
  'huge',
  'refuses',
  'raises',
  'flaky',
] as const
export type Fault = (typeof FAULTS)[number]

export interface ToolServer {
  /** The base for a behaviour, without a slash at the end. */
  url(behaviour: Fault | 'well'): string
  /** Bodies and keys of the requests that came, oldest first. */
  readonly asked: readonly { readonly path: string; readonly key: string | undefined; readonly body: unknown }[]
  close(): Promise<void>
}

/** Starts one. `output` is what a tool that behaves says. */
export async function toolServer(output: Readonly<Record<string, unknown>>): Promise<ToolServer> {
  const asked: { path: string; key: string | undefined; body: unknown }[] = []
  const server = createServer((incoming, response) => {
    void bodyOf(incoming).then((body) => {
      const path = incoming.url ?? ''
      asked.push({ path, key: incoming.headers.authorization, body })
      answer(path, asked.length, output, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: (behaviour) => `http://127.0.0.1:${port}/${behaviour}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function bodyOf(incoming: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = []
  for await (const piece of incoming) pieces.push(piece as Buffer)
  const text = Buffer.concat(pieces).toString('utf8')
  return text === '' ? undefined : (JSON.parse(text) as unknown)
}

function answer(
  path: string,
  count: number,
  output: Readonly<Record<string, unknown>>,
  response: ServerResponse,
): void {
  const fault = path.split('/')[1] ?? ''
  const wire = path.endsWith('/get_observation') ? observed : chosen
  const say = (status: number, text: string): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(text)
  }
  const well = JSON.stringify(wire(JSON.stringify(output)))
  const acts: Readonly<Record<string, () => void>> = {
    well: () => say(200, well),
    // Said long after every test has given up; the connection is cut when the server closes.
    slow: () => void setTimeout(() => say(200, well), 60_000).unref(),
    '500': () => say(500, '{"error": "CUDA out of memory"}'),
    '400': () => say(400, '{"error": "no such model"}'),
    'cut-off': () => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(well.length) })
      response.write(well.slice(0, well.length / 2), () => response.destroy())
    },
    garbage: () => say(200, '<html>busy</html>'),
    'wrong-wire': () => say(200, '{"result": 1}'),
    'wrong-schema': () => say(200, JSON.stringify(wire('{"never": "asked for"}'))),
    huge: () => say(200, JSON.stringify(wire('x'.repeat(9 * 1024 * 1024)))),
    refuses: () =>
      say(
        200,
        JSON.stringify({
          observations: [{ obs: '', invalid_reason: 'no tool matches' }],
          dones: [false],
          valids: [false],
        }),
      ),
    raises: () =>
      say(200, JSON.stringify({ observations: [{ obs: '', error: 'worker died' }], dones: [true], valids: [false] })),
    flaky: () => (count % 2 === 1 ? say(503, '') : say(200, well)),
  }
  ;(acts[fault] ?? (() => say(404, '{}')))()
}

const observed = (text: string): unknown => ({
  observations: [{ obs: text, reward: null }],
  dones: [false],
  valids: [true],
  processing_time_ms: 1,
})

const chosen = (text: string): unknown => ({
  object: 'chat.completion',
  choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: text } }],
})
