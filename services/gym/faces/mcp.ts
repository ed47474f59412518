/** The part of MCP that OpenEnv asks of an environment: which tools there are. They are called inside a turn. */
import type { Gym } from '#services/gym/loop/gym.ts'

/** A JSON-RPC 2.0 answer. */
export type RpcAnswer = {
  readonly jsonrpc: '2.0'
  readonly id: string | number | null
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly code: number; readonly message: string }
}

const PARSE_ERROR = -32700
const INVALID_REQUEST = -32600
const METHOD_NOT_FOUND = -32601

/** Answers the text of one request. */
export function rpcAnswerTo(gym: Gym, text: string): RpcAnswer {
  try {
    return rpcAnswer(gym, JSON.parse(text))
  } catch {
    return { jsonrpc: '2.0', id: null, error: { code: PARSE_ERROR, message: 'the request is no JSON' } }
  }
}

/** Answers one JSON-RPC request: `tools/list`, and an error that says what to do for everything else. Never throws. */
export function rpcAnswer(gym: Gym, request: unknown): RpcAnswer {
  const { jsonrpc, id: given, method } = (request ?? {}) as Readonly<Record<string, unknown>>
  const id = typeof given === 'string' || typeof given === 'number' ? given : null
  const failed = (code: number, message: string): RpcAnswer => ({ jsonrpc: '2.0', id, error: { code, message } })
  if (jsonrpc !== '2.0' || typeof method !== 'string')
    return failed(INVALID_REQUEST, 'no JSON-RPC 2.0 request: send jsonrpc, id and method, such as tools/list')
  if (method === 'tools/list') return { jsonrpc: '2.0', id, result: { tools: gym.tools.map(described) } }
  if (method === 'tools/call')
    return failed(
      METHOD_NOT_FOUND,
      'tools are called inside a turn: reset and step over /ws, with <tool_call>…</tool_call>',
    )
  return failed(METHOD_NOT_FOUND, `there is no method ${method.slice(0, 60)} here: tools/list is`)
}

/** A tool of a chat template as MCP has it. */
function described(schema: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { name, description, parameters } = (schema['function'] ?? {}) as Readonly<Record<string, unknown>>
  return { name, description, inputSchema: parameters ?? { type: 'object' } }
}
