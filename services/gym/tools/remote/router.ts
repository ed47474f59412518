/** Tools behind a verl-tool router: POST /get_observation, one trajectory with one action at a time. */
import { createHash } from 'node:crypto'
import { RemoteFailure, type RemoteRequest, type RemoteTool } from '#services/gym/tools/tools.ts'
import type { Pixels, ToolOutput } from '#services/gym/tools/tool.ts'
import { askedJson, quoted } from './answer.ts'
import type { Address } from './addresses.ts'
import { dataUrl, pixelsOf } from './data-url.ts'
import { outputOf } from './said.ts'

/** At most this many pictures of an answer are taken. */
const PICTURES_MAX = 4

/** The tool of that name at a router. `address.url` is the router's base or its /get_observation itself. */
export function routerTool(tool: string, address: Address): RemoteTool {
  const url = /\/get_observation\/?$/.test(address.url) ? address.url : `${address.url}/get_observation`
  return {
    tool,
    server: new URL(url).host,
    call: async (request, signal) => {
      const answer = await askedJson({ url, body: bodyOf(request, address.name ?? tool), key: address.key }, signal)
      return outputFrom(answer, request)
    },
  }
}

/**
 * The same call of the same pictures makes the same bytes, trajectory id included: a router may then answer a retry from
 * its cache.
 */
function bodyOf({ task, arguments: given, context }: RemoteRequest, name: string): unknown {
  const call = JSON.stringify({ tool: name, task, arguments: given })
  const id = createHash('sha256').update(JSON.stringify([call, context.question, [...context.images.keys()]]))
  return {
    trajectory_ids: [id.digest('hex').slice(0, 32)],
    actions: [`<tool_call>${call}</tool_call>`],
    finish: [false],
    is_last_step: [false],
    extra_fields: [
      {
        images: [...context.images.values()].map(dataUrl),
        question: context.question,
        choices: context.choices,
      },
    ],
  }
}

/** An observation is words, or an object of words, pictures and what went wrong. */
function outputFrom(answer: unknown, { definition, task }: RemoteRequest): ToolOutput {
  const { observations, dones, valids } = fieldsOf(answer)
  const observation: unknown = Array.isArray(observations) ? observations[0] : undefined
  if (typeof observation !== 'string' && !isObject(observation)) {
    throw new RemoteFailure('bad_output', 'APIError', 'the router answered without an observation')
  }
  const told = typeof observation === 'string' ? { obs: observation } : observation
  const text = typeof told['obs'] === 'string' ? told['obs'] : JSON.stringify(told['obs'] ?? told)
  if (Array.isArray(valids) && valids[0] === false) {
    const reason = textIn(told, 'invalid_reason') ?? textIn(told, 'error') ?? text
    // A tool that raised ends the trajectory there; an action that no tool takes does not.
    const raised = Array.isArray(dones) && dones[0] === true
    throw new RemoteFailure(raised ? 'infra' : 'tool_error', 'APIError', `the tool refused the call: ${quoted(reason)}`)
  }
  const images = picturesOf(told['image'])
  return { ...outputOf(text, definition, task), ...(images.length === 0 ? {} : { images }) }
}

/** Pictures of an answer as pixels; what is no PNG of reasonable size is left out. */
function picturesOf(image: unknown): Pixels[] {
  const urls: unknown[] = Array.isArray(image) ? image : [image]
  return urls.slice(0, PICTURES_MAX).flatMap((url) => (typeof url === 'string' ? (pixelsOf(url) ?? []) : []))
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> => (isObject(value) ? value : {})

const textIn = (fields: Readonly<Record<string, unknown>>, name: string): string | undefined => {
  const value = fields[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}
