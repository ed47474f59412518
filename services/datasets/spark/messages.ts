/** A trajectory's messages in the shape of OpenAI's chat API, as Spark SQL: the twin of ../messages.ts, which says why. */
import { SPARK } from './dialect.ts'

const STRINGS = 'ARRAY<STRING>'
const CALL = 'STRUCT<id: STRING, type: STRING, function: STRUCT<name: STRING, arguments: STRING>>'
const MESSAGE = `STRUCT<role: STRING, content: STRING, tool_calls: ARRAY<${CALL}>, tool_call_id: STRING, name: STRING>`

const none = (type: string) => `CAST(array() AS ${type})`

/** Arguments are JSON text; get_json_object gives the text of a JSON string. */
const callArguments = (value: string) =>
  `CASE WHEN ${value} IS NULL THEN '{}' WHEN startswith(${value}, '"') THEN coalesce(get_json_object(${value}, '\\u0024'), ${value}) ELSE ${value} END`

const call = (id: string, name: string, args: string) =>
  `named_struct('id', ${id}, 'type', 'function', 'function', named_struct('name', ${name}, 'arguments', ${callArguments(args)}))`

const SENT_CALLS = SPARK.text(
  'array<struct<id: string, name: string, arguments: string, function: struct<name: string, arguments: string>>>',
)
const sentCalls = (
  json: string,
) => `CASE WHEN json_array_length(${json}) > 0 THEN transform(from_json(${json}, ${SENT_CALLS}),
    c -> ${call('c.id', 'coalesce(c.function.name, c.name)', 'coalesce(c.function.arguments, c.arguments)')}) END`

const asSent = (
  list: string,
) => `coalesce(transform(${list}, m -> CAST(named_struct('role', m.role, 'content', m.content,
    'tool_calls', ${sentCalls('m.tool_calls')}, 'tool_call_id', m.tool_call_id, 'name', m.name) AS ${MESSAGE})), ${none(`ARRAY<${MESSAGE}>`)})`

/** concat_ws leaves out nulls, concat is null where one of its parts is. */
const WRITTEN = `coalesce(s.content, s.raw_output,
    nullif(concat_ws('\\n', concat('<think>', s.think_text, '</think>'), concat('<answer>', s.answer_text, '</answer>')), ''))`

const ACTION = `CAST(named_struct('role', 'assistant', 'content', ${WRITTEN},
    'tool_calls', CASE WHEN size(s.tool_calls) > 0 THEN transform(s.tool_calls, c -> ${call('c.id', 'c.name', 'c.arguments')}) END,
    'tool_call_id', CAST(NULL AS STRING), 'name', CAST(NULL AS STRING)) AS ${MESSAGE})`

const imagesOf = (list: string) =>
  `coalesce(flatten(transform(${list}, m -> coalesce(m.images, ${none(STRINGS)}))), ${none(STRINGS)})`

const zeros = (list: string) => `coalesce(transform(${list}, m -> 0), ${none('ARRAY<INT>')})`

/** Images of step `s`, in the order of its messages; its own where these name none. */
export const SPARK_STEP_IMAGES = `CASE WHEN size(${imagesOf('s.observation')}) > 0 THEN ${imagesOf('s.observation')} ELSE coalesce(s.images, ${none(STRINGS)}) END`

/** The lists of a conversation: its type, and its SQL over a step `s` and over the trajectory `t` with its prompt. */
export const SPARK_LISTS = {
  messages: {
    type: `ARRAY<${MESSAGE}>`,
    step: `concat(array(${ACTION}), ${asSent('s.observation')})`,
    prompt: asSent('t.prompt'),
  },
  loss_mask: {
    type: 'ARRAY<INT>',
    step: `concat(array(1), ${zeros('s.observation')})`,
    prompt: zeros('t.prompt'),
  },
  images: { type: STRINGS, step: SPARK_STEP_IMAGES, prompt: imagesOf('t.prompt') },
} as const

/** The lists of all steps of a trajectory, one after the other. */
export const ofAllSteps = (name: keyof typeof SPARK_LISTS): string =>
  `flatten(transform(array_sort(collect_list(named_struct('step_index', s.step_index, 'said', ${SPARK_LISTS[name].step}))), e -> e.said))`

/** The empty list of a kind. */
export const noneOf = (name: keyof typeof SPARK_LISTS): string => none(SPARK_LISTS[name].type)
