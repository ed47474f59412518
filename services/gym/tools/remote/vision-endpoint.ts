/** Tools played by a vision model behind an OpenAI-compatible endpoint: POST /chat/completions with data URLs. */
import { RemoteFailure, type RemoteRequest, type RemoteTool } from '#services/gym/tools/tools.ts'
import { askedJson } from './answer.ts'
import type { Address } from './addresses.ts'
import { dataUrl } from './data-url.ts'
import { outputOf } from './said.ts'

/** The most tokens of an answer: a long table, and no novel. */
const TOKENS_MAX = 2_048

/** The tool, as the model of `address.model` plays it. `address.url` is the base of the endpoint, such as http://host:8000/v1. */
export function visionTool(tool: string, address: Address): RemoteTool {
  const url = `${address.url}/chat/completions`
  return {
    tool,
    server: new URL(url).host,
    call: async (request, signal) => {
      const answer = await askedJson({ url, body: bodyOf(request, address.model ?? tool), key: address.key }, signal)
      return outputOf(contentOf(answer), request.definition, request.task)
    },
  }
}

function bodyOf(request: RemoteRequest, model: string): unknown {
  const pictures = [...request.context.images.values()].map((png) => ({
    type: 'image_url',
    image_url: { url: dataUrl(png) },
  }))
  return {
    model,
    temperature: 0,
    max_tokens: TOKENS_MAX,
    messages: [{ role: 'user', content: [...pictures, { type: 'text', text: instruction(request) }] }],
  }
}

function instruction({ definition, task, arguments: given, context }: RemoteRequest): string {
  const known = definition.tasks[task]
  return [
    `You are the tool ${definition.name}: ${definition.description}`,
    `Task ${task}: ${known?.description ?? ''}`,
    `Arguments: ${JSON.stringify(given)}`,
    `The question that is being worked on: ${context.question}`,
    ...(context.choices.length === 0 ? [] : [`Its choices: ${context.choices.join(' | ')}`]),
    `Answer with one JSON object that fits this schema, and nothing else: ${JSON.stringify(known?.output ?? {})}`,
  ].join('\n')
}

/** The text of the first choice; newer servers give it in parts. */
function contentOf(answer: unknown): string {
  const { choices } = (answer ?? {}) as { choices?: readonly { message?: { content?: unknown } }[] }
  const content = Array.isArray(choices) ? choices[0]?.message?.content : undefined
  if (typeof content === 'string' && content.trim() !== '') return content
  if (Array.isArray(content)) {
    const text = content
      .map((part: { text?: unknown } | null) => (typeof part?.text === 'string' ? part.text : ''))
      .join('')
    if (text !== '') return text
  }
  throw new RemoteFailure('bad_output', 'APIError', 'the endpoint answered without a message')
}
