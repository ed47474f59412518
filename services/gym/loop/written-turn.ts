/** What a policy tells of a turn beside its words, within what an event can bear. */
import { COMPLETION_TOKENS_MAX, GEN_MS_MAX, PROMPT_TOKENS_MAX, TOKEN_COUNT_MAX } from '#schemas/http-gym.ts'
import type { WrittenTurn } from '#services/gym/policies/policy.ts'

/** Counts and times held to their range; lists of tokens that are too long, or hold what is no token, left out. */
export function boundedTurn(written: WrittenTurn): WrittenTurn {
  const { raw, finish_reason, injected, logprobs } = written
  const promptIds = idsWithin(written.prompt_token_ids, PROMPT_TOKENS_MAX)
  const ids = idsWithin(written.completion_token_ids, COMPLETION_TOKENS_MAX)
  const isWhole = logprobs !== undefined && logprobs.length <= COMPLETION_TOKENS_MAX && logprobs.every(Number.isFinite)
  return {
    raw,
    ...(finish_reason === undefined ? {} : { finish_reason: finish_reason.slice(0, 100) }),
    ...(injected === undefined ? {} : { injected }),
    ...within('prompt_tokens', written.prompt_tokens, TOKEN_COUNT_MAX),
    ...within('completion_tokens', written.completion_tokens, TOKEN_COUNT_MAX),
    ...within('gen_ms', written.gen_ms, GEN_MS_MAX),
    ...(promptIds === undefined ? {} : { prompt_token_ids: promptIds }),
    ...(ids === undefined ? {} : { completion_token_ids: ids }),
    ...(isWhole ? { logprobs } : {}),
  }
}

function within<Name extends string>(name: Name, value: number | undefined, max: number): { [Key in Name]?: number } {
  if (value === undefined || Number.isNaN(value)) return {}
  return { [name]: Math.min(max, Math.max(0, Math.round(value))) } as { [Key in Name]?: number }
}

function idsWithin(ids: readonly number[] | undefined, max: number): readonly number[] | undefined {
  if (ids === undefined || ids.length > max) return undefined
  return ids.every((id) => Number.isSafeInteger(id) && id >= 0) ? ids : undefined
}
