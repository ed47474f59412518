/** A model behind any OpenAI-compatible endpoint, which is sent the pictures as data URLs. */
import { setTimeout as sleep } from 'node:timers/promises'
import { boundedText } from '#services/gym/bounded-text.ts'
import { errorText } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import { readCompletion, type Completion } from './openai-answer.ts'
import type { Message, Policy, WrittenTurn } from './policy.ts'
import type { PolicySource } from './source.ts'

export type OpenAiOptions = {
  /** The base of the endpoint's URLs, such as http://127.0.0.1:8000/v1. */
  readonly url: string
  readonly model: string
  readonly key: string | undefined
  /** PNG bytes of a picture of an open episode. */
  readonly image: (imageId: string) => Uint8Array | undefined
  /** Default 0.7, as in the paper. */
  readonly temperature?: number
  /** The most tokens of a turn. Default 4,096. */
  readonly max_tokens?: number
  readonly seed?: number
  /** How often a request that failed is sent again. Default 5. */
  readonly retries?: number
  /** How long an answer may take. Default 5 minutes. */
  readonly timeout_ms?: number
  /** The most tokens, of prompts and answers, for all rollouts; no request begins after that. */
  readonly budget_tokens?: number
  /** Waits; for tests. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
  /** Chance in [0, 1), for waits. */
  readonly chance: () => number
}

/** What was used so far. */
export type OpenAiUse = { readonly requests: number; readonly tokens: number; readonly retries: number }

/** Room for the ids and log probabilities of a long answer; what is longer is no answer. */
const answerBytesMax = 32 * 1024 * 1024

/** Decoding stops here; servers leave the stop word out of their answer. */
const stopWord = '</tool_call>'

/**
 * Policies that ask an endpoint for each turn. A turn throws `unavailable` when the endpoint fails for good, `invalid` when it
 * refuses the request, and `too_many` when the budget is spent.
 */
export function openAiPolicies(options: OpenAiOptions): PolicySource & { use(): OpenAiUse } {
  const endpoint = new Endpoint(options)
  return {
    actor_model: options.model,
    sampling: { policy: 'openai', temperature: options.temperature ?? 0.7, max_tokens: options.max_tokens ?? 4096 },
    use: () => endpoint.use(),
    policy: (): Policy => ({ turn: ({ messages }, signal) => endpoint.turn(messages, signal) }),
  }
}

class Endpoint {
  readonly #options: OpenAiOptions
  #requests = 0
  #tokens = 0
  #retries = 0
  /** Token ids and log probabilities are asked for until the endpoint says that it does not know these. */
  #asksTokens = true

  constructor(options: OpenAiOptions) {
    this.#options = options
  }

  use(): OpenAiUse {
    return { requests: this.#requests, tokens: this.#tokens, retries: this.#retries }
  }

  async turn(messages: readonly Message[], signal: AbortSignal): Promise<WrittenTurn> {
    const { budget_tokens: budget, retries = 5, wait = sleeping, chance } = this.#options
    const sent = messages.map((message) => chatMessage(message, this.#options.image))
    const started = performance.now()
    for (let attempt = 0; ; attempt++) {
      if (budget !== undefined && this.#tokens >= budget) {
        throw new Problem('too_many', `the budget of ${budget} tokens is spent (${this.#tokens} were used)`, {
          hint: 'run the same again with a larger --budget: what was played is not played again',
        })
      }
      const answer = await this.#asked(sent, signal)
      if ('completion' in answer) {
        this.#tokens += answer.completion.tokens
        return written(answer.completion, Math.round(performance.now() - started))
      }
      if (attempt >= retries) {
        throw new Problem('unavailable', `the endpoint failed ${attempt + 1} times: ${answer.reason}`, {
          hint: 'see its log; then run the same again: what was played is not played again',
        })
      }
      this.#retries++
      const grown = Math.min(20_000, 250 * 2 ** attempt)
      await wait(answer.after_ms ?? Math.round(grown * (0.5 + chance() / 2)), signal)
    }
  }

  /** One request. Throws where sending it again cannot help. */
  async #asked(messages: readonly unknown[], signal: AbortSignal): Promise<{ completion: Completion } | Failure> {
    const { url, model, key, temperature = 0.7, max_tokens = 4096, seed, timeout_ms = 300_000 } = this.#options
    this.#requests++
    const asksTokens = this.#asksTokens
    let response: Response
    let text: string
    try {
      response = await fetch(`${url.replace(/\/+$/, '')}/chat/completions`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        },
        body: JSON.stringify({
          model,
          messages,
          temperature,
          max_tokens,
          stop: [stopWord],
          ...(seed === undefined ? {} : { seed }),
          ...(asksTokens ? { logprobs: true, return_token_ids: true } : {}),
        }),
        // A redirect would carry the pictures, and perhaps the key, to somewhere that nobody named.
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeout_ms)]),
      })
      text = withoutKey(await boundedText(response, answerBytesMax), key)
    } catch (error) {
      if (signal.aborted) throw error
      return { reason: withoutKey(errorText(error), key) }
    }
    if (response.ok) {
      const completion = readCompletion(text)
      return completion === null ? { reason: `it answered ${JSON.stringify(text.slice(0, 120))}` } : { completion }
    }
    if (response.status === 429 || response.status >= 500 || response.status === 408) {
      const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
      return {
        reason: `it answered ${response.status}`,
        ...(seconds >= 0 && seconds <= 600 ? { after_ms: seconds * 1000 } : {}),
      }
    }
    if (asksTokens && (response.status === 400 || response.status === 422)) {
      this.#asksTokens = false
      return { reason: `it answered ${response.status}`, after_ms: 0 }
    }
    throw new Problem('invalid', `the endpoint refused with ${response.status}: ${text.slice(0, 300)}`, {
      hint:
        response.status === 401
          ? 'set OPENAI_API_KEY'
          : 'is it the base of an OpenAI-compatible API, such as http://host:8000/v1?',
    })
  }
}

/** Endpoints like to quote the key that they refuse. */
const withoutKey = (text: string, key: string | undefined): string =>
  key === undefined || key === '' ? text : text.replaceAll(key, '********')

type Failure = { readonly reason: string; readonly after_ms?: number }

const sleeping = async (ms: number, signal: AbortSignal): Promise<void> => {
  await sleep(ms, undefined, { signal })
}

function written(completion: Completion, gen_ms: number): WrittenTurn {
  const { text, tokens: _, ...rest } = completion
  // The stop word is part of what the policy decided to write.
  const isOpen = text.lastIndexOf('<tool_call>') > text.lastIndexOf(stopWord)
  const stopped = isOpen && completion.finish_reason !== 'length'
  return { ...rest, raw: stopped ? text + stopWord : text, gen_ms }
}

/** A message in the shape of the chat API. What tools said goes as the user's words: without native calls, `tool` is refused. */
function chatMessage(message: Message, image: OpenAiOptions['image']): Readonly<Record<string, unknown>> {
  const text = textOf(message.content)
  const pictures = (message.images ?? []).flatMap((id) => {
    const bytes = image(id)
    return bytes === undefined ? [] : [`data:image/png;base64,${Buffer.from(bytes).toString('base64')}`]
  })
  const role = message.role === 'function' || message.role === 'tool' ? 'user' : message.role
  if (pictures.length === 0) return { role, content: text }
  const parts = pictures.map((url) => ({ type: 'image_url', image_url: { url } }))
  return { role, content: [...parts, { type: 'text', text }] }
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return (content as readonly { type?: unknown; text?: unknown }[])
    .flatMap(({ type, text }) => (type === 'text' && typeof text === 'string' ? [text] : []))
    .join('\n')
}
