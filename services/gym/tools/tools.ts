/** The tools as an episode calls them: one call as a policy wrote it, and what came of it. */
import type { EventData } from '#schemas/events.ts'
import type { ToolDefinition, ToolOutput } from './tool.ts'

type RecordedCall = NonNullable<NonNullable<EventData<'step.recorded'>['tool_calls']>[number]>

/** What became of a call, as step.recorded says it. */
export type ToolStatus = NonNullable<RecordedCall['status']>

/** Codes that are set by rule. E4, E6 and WRONG_TOOL are for judges and for a noisy policy's own word. */
export type CallCode = 'E1' | 'E2' | 'E3' | 'E5' | 'INFRA' | 'NO_TOOL'

/** What a tool may know of the episode: its pictures and the words of its question. Never the item, scene or answer. */
export type CallContext = {
  /** PNG bytes by image_id (SHA-256), in the order in which the policy saw them. Pictures that tools gave come last. */
  readonly images: ReadonlyMap<string, Uint8Array>
  readonly question: string
  readonly choices: readonly string[]
}

/** A picture that a tool gave: PNG bytes, and its name. */
export type ToolImage = { readonly image_id: string; readonly bytes: Uint8Array }

/** One thing that is wrong with a call, for schema_errors. */
export type CallFault = {
  readonly code: CallCode
  /** Where in the call, such as `arguments.box_threshold`; '' is the call itself. */
  readonly path: string
  readonly message: string
}

/** What came of a call. The field names are those of step.recorded's tool_calls. */
export type CallResult = {
  readonly status: ToolStatus
  readonly error_codes: readonly CallCode[]
  /** As in the released environment: NoImageError, JSONDecodeError, Timeout, ConnectionError, HTTPError, APIError, InvalidInput … */
  readonly error_type: string | null
  /** What the policy is told: what the tool said, or what was wrong and what to do. Never empty. */
  readonly observation: string
  readonly output_json: Readonly<Record<string, unknown>> | null
  readonly output_schema_ok: boolean | null
  readonly output_images: readonly ToolImage[]
  /** The tool as called: `tool` or `name` of the call, '' where it had none. */
  readonly name: string
  /** After aliases; null where there is no such tool. */
  readonly tool: string | null
  readonly family: string | null
  readonly subset: string | null
  readonly task: string | null
  /** Which of the four shapes in circulation was used (1 to 4); null for none of them. */
  readonly call_shape: 1 | 2 | 3 | 4 | null
  readonly arguments: unknown
  readonly parse_ok: boolean
  readonly schema_ok: boolean
  readonly schema_errors: readonly CallFault[]
  readonly n_detections: number | null
  /** The last attempt, from 0. */
  readonly attempt: number
  readonly cache_hit: boolean
  /** Whole milliseconds that the call waited for its turn, and that the tool ran. */
  readonly queued_ms: number
  readonly latency_ms: number
  readonly server: string
}

/** The tools of a gym. */
export type Tools = {
  /**
   * Carries out one call. `written` is what stood between the tags of the call, as text, or that already parsed. Never
   * throws and never takes longer than the tool's time limit times its attempts, plus the wait in a bounded queue: a crash,
   * a time-out and an abort are results. The same call of the same pictures gives the same result.
   */
  call(written: unknown, context: CallContext, signal?: AbortSignal): Promise<CallResult>
  readonly definitions: readonly ToolDefinition[]
  /** In the shape that chat templates take: {"type": "function", "function": {name, description, parameters}}. */
  readonly schemas: readonly Readonly<Record<string, unknown>>[]
  /** Stops the workers. Calls under way end with status `infra`. */
  close(): Promise<void>
}

/** One call of a remote tool, all of it checked against the tool's schema. */
export type RemoteRequest = {
  readonly definition: ToolDefinition
  readonly task: string
  readonly arguments: Readonly<Record<string, unknown>>
  readonly context: CallContext
}

/**
 * A tool that runs elsewhere. One attempt: time limit, retries and concurrency of the definition are kept by the caller,
 * who aborts `signal`. Throws RemoteFailure for anything else than an answer of the tool.
 */
export type RemoteTool = {
  /** The definition's name. */
  readonly tool: string
  /** Where it runs, for the record: no secrets in it. */
  readonly server: string
  call(request: RemoteRequest, signal: AbortSignal): Promise<ToolOutput>
}

/** Why a remote tool did not answer. */
export class RemoteFailure extends Error {
  /** ConnectionError, HTTPError, APIError, JSONDecodeError, Timeout, or the tool's own word. */
  readonly error_type: string
  /** `infra`: the server is at fault and it may be tried again; `tool_error`: the tool said no; `bad_output`: E5. */
  readonly kind: 'infra' | 'tool_error' | 'bad_output'
  constructor(kind: 'infra' | 'tool_error' | 'bad_output', errorType: string, message: string) {
    super(message)
    this.name = 'RemoteFailure'
    this.kind = kind
    this.error_type = errorType
  }
}
