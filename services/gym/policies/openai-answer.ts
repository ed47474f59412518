/** What an endpoint answered, with the token ids and log probabilities that some servers add. */

export type Completion = {
  readonly text: string
  readonly finish_reason: string
  /** Of prompt and answer, as the server counts; 0 where it does not say. */
  readonly tokens: number
  readonly prompt_tokens?: number
  readonly completion_tokens?: number
  readonly prompt_token_ids?: readonly number[]
  readonly completion_token_ids?: readonly number[]
  readonly logprobs?: readonly number[]
}

type Fields = Readonly<Record<string, unknown>>

/** Reads a body of /chat/completions; null for what is none. Token ids are taken where vLLM or SGLang put them. */
export function readCompletion(text: string): Completion | null {
  const body = fieldsOf(parsed(text))
  const choice = fieldsOf(listOf(body['choices'])[0])
  const content = fieldsOf(choice['message'])['content']
  if (typeof content !== 'string') return null
  const usage = fieldsOf(body['usage'])
  const [prompt, completion] = [countOf(usage['prompt_tokens']), countOf(usage['completion_tokens'])]
  const promptIds = idsOf(choice['prompt_token_ids'] ?? body['prompt_token_ids'])
  const ids = idsOf(choice['token_ids'] ?? choice['output_token_ids'])
  const logprobs = listOf(fieldsOf(choice['logprobs'])['content']).map((token) => fieldsOf(token)['logprob'])
  const isWhole = logprobs.length > 0 && logprobs.every((value) => typeof value === 'number' && Number.isFinite(value))
  const reason = choice['finish_reason']
  return {
    text: content,
    finish_reason:
      reason === 'length'
        ? 'length'
        : reason === 'stop'
          ? 'stop_token'
          : typeof reason === 'string'
            ? reason
            : 'unknown',
    tokens: (prompt ?? 0) + (completion ?? 0),
    ...(prompt === undefined ? {} : { prompt_tokens: prompt }),
    ...(completion === undefined ? {} : { completion_tokens: completion }),
    ...(promptIds === undefined ? {} : { prompt_token_ids: promptIds }),
    ...(ids === undefined ? {} : { completion_token_ids: ids }),
    ...(isWhole ? { logprobs: logprobs as number[] } : {}),
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as readonly unknown[]) : [])
const countOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined

function idsOf(value: unknown): readonly number[] | undefined {
  const ids = listOf(value)
  return ids.length > 0 && ids.every((id) => Number.isSafeInteger(id) && Number(id) >= 0)
    ? (ids as number[])
    : undefined
}
