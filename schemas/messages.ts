/** Chat messages and tool calls: the parts that prompts, steps and training rows share. */
import type Type from 'typebox'
import { flag, id, integer, json, list, maybe, object, oneOf, sha256, text } from './fields.ts'

/** One chat message as a model or a tool sees it. `content` is text, or a list of typed parts (text, image). */
export const Message = object(
  {
    role: text('Who speaks: system, user, assistant, tool, or function (the InternVL chat template).'),
    content: maybe(
      json('Text, or a list of parts such as {"type":"text","text":…} and {"type":"image","image_id":…}.'),
    ),
    tool_calls: maybe(json('The calls that an assistant message makes, as they were sent.')),
    tool_call_id: maybe(text('The call that a tool message answers.')),
    name: maybe(text('The tool that answers.')),
    images: maybe(list(sha256('An image, by the SHA-256 of its bytes.'), 'Images shown with this message, in order.')),
  },
  'A chat message.',
)
export type Message = Type.Static<typeof Message>

/** What became of a tool call. */
export const TOOL_CALL_STATUSES = ['ok', 'tool_error', 'timeout', 'infra', 'not_found', 'invalid'] as const

/** One call of a tool inside a step. Its key is (trajectory_id, step_index, its place in the list): ids repeat in the wild. */
export const ToolCall = object(
  {
    id: maybe(text('The id that the model or the framework gave the call. Not unique.')),
    name: text('The tool, as called.'),
    arguments: maybe(json('The arguments: an object, or the raw string where it could not be parsed.')),
    raw_call: maybe(text('The call as the model wrote it inside raw_output, where it is part of the text.')),
    call_shape: maybe(integer('Which of the four call shapes in circulation was used, 1 to 4.')),
    parse_ok: maybe(flag('Whether the call could be parsed.')),
    tool: maybe(text('The tool after aliases are resolved.')),
    family: maybe(text('The family of the tool, such as Chart Understanding.')),
    subset: maybe(text('The subset of the tool, such as ChartToTable.')),
    task: maybe(text('The task asked of the tool, such as to_table.')),
    schema_ok: maybe(flag('Whether the arguments fit the schema of the tool.')),
    schema_errors: maybe(json('What did not fit, as a list.')),
    valid: maybe(flag('Whether the environment accepted the call.')),
    invalid_reason: maybe(text('Why it did not.')),
    status: maybe(oneOf(TOOL_CALL_STATUSES, 'What became of the call.')),
    error_type: maybe(text('The kind of failure, such as Timeout.')),
    error_codes: maybe(list(text('A code such as E1.'), 'Error codes set by rule.')),
    output_text: maybe(text('What the tool answered, as text; left out where it stands in the observation.')),
    output_json: maybe(json('What the tool answered, as JSON.')),
    output_schema_ok: maybe(flag('Whether the answer fits the output schema of the tool.')),
    output_image_ids: maybe(list(sha256('An image.'), 'Images that the tool answered with.')),
    n_detections: maybe(integer('How many things a detector found.')),
    attempt: maybe(integer('Which attempt this was, from 0.')),
    cache_hit: maybe(flag('Whether the answer came from a cache.')),
    server: maybe(text('The server that ran the tool.')),
    queued_ms: maybe(integer('Time waited before the tool ran.')),
    latency_ms: maybe(integer('Time the tool ran.')),
  },
  'A tool call.',
)
export type ToolCall = Type.Static<typeof ToolCall>

/** A tool that a policy may call, in the shape that chat templates take. */
export const Tool = json('A tool schema, for instance {"type":"function","function":{"name":…,"parameters":{…}}}.')

/** Images referred to by a step. */
export const ImageRefs = list(
  sha256('An image, by the SHA-256 of its bytes.'),
  'Images that this step produced or was shown.',
)

/** The id of a trajectory, used by six events. */
export const trajectoryId = () => id('The trajectory: one rollout of one item by one policy version.')
