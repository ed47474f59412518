/** OpenEnv over HTTP: what it is, and the stateless reset and step, each in an environment of its own. */
import Type from 'typebox'
import { GymEpisodeOptions, GymObservation, GymReset, GymState, GymStep, GymTurn } from '#schemas/http-gym.ts'
import type { Gym } from '#services/gym/loop/gym.ts'
import { Problem } from '#services/problem.ts'
import { actionOf, given } from './checked.ts'
import { type OpenEnvResult, resetOptions, resetResult, stepResult } from './openenv-session.ts'

const DESCRIPTION =
  'Questions about pictures, to be answered by thinking, calling visual tools and answering: VISTA-Gym (arXiv 2511.19773) with seeded pictures, on a CPU.'

const README = `# Stepstore's gym

Connect to \`/ws\`, send \`{"type": "reset", "data": {"family": "chart", "seed": 1, "index": 0}}\`: the observation has the
question in \`text\` and \`messages\`, the picture in \`images[0].data\` (PNG in base64). Then send turns as
\`{"type": "step", "data": {"text": "<think>…</think><tool_call>{…}</tool_call>"}}\` until \`done\`; the reward comes with the
last one, its parts in \`score\`. Tools are in \`GET /v1/gym\`. Over HTTP \`/reset\` and \`/step\` are stateless.
`

/** GET /metadata. */
export const METADATA = {
  name: 'stepstore-gym',
  description: DESCRIPTION,
  readme_content: README,
  version: '1',
  author: 'Stepstore',
  documentation_url: null,
} as const

const optional = (schema: { readonly properties: Readonly<Record<string, Type.TSchema>> }) =>
  Object.fromEntries(Object.entries(schema.properties).map(([name, field]) => [name, Type.Optional(field)]))

/** GET /schema: an observation has the fields of a reset or those of a step. */
export function openEnvSchemas(): { action: Type.TSchema; observation: Type.TSchema; state: Type.TSchema } {
  const { observation: _reset, ...ofReset } = GymReset.properties
  const { observation: _step, reward: _reward, done: _done, ...ofStep } = GymStep.properties
  return {
    action: GymTurn,
    observation: Type.Object(
      {
        ...GymObservation.properties,
        ...optional({ properties: { ...ofReset, ...ofStep } }),
        episode_id: ofReset.episode_id,
        done: Type.Boolean(),
        reward: Type.Union([Type.Number(), Type.Null()]),
      },
      { description: 'What the policy is told; fields of a reset, then of each step.' },
    ),
    state: GymState,
  }
}

/** POST /reset: begins an episode, tells its question, and ends it. */
export async function statelessReset(gym: Gym, body: unknown): Promise<OpenEnvResult> {
  const begun = await gym.reset(resetOptions(objectOf(body)))
  try {
    return resetResult(gym, begun)
  } finally {
    await gym.end(begun.episode_id)
  }
}

/** POST /step: begins an episode with the options beside the action, takes that one turn, and ends it. */
export async function statelessStep(gym: Gym, body: unknown): Promise<OpenEnvResult> {
  const { action, timeout_s: timeout, request_id: _request, ...options } = given(objectOf(body))
  // The gym has limits of its own for each tool, so this one is only held to its form.
  if (timeout !== undefined && !(typeof timeout === 'number' && timeout > 0))
    throw new Problem('invalid', 'timeout_s is no number above 0', {
      hint: 'leave it out: tools have time limits here',
    })
  if (action === undefined)
    throw new Problem('invalid', 'there is no action', { hint: 'such as {"action": {"text": "…"}}' })
  const turn = actionOf(action)
  const { episode_id } = await gym.reset(resetOptions(options))
  try {
    return stepResult(gym, await gym.step(episode_id, turn))
  } finally {
    await gym.end(episode_id)
  }
}

function objectOf(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body))
    return body as Readonly<Record<string, unknown>>
  throw new Problem('invalid', 'the body is no JSON object', { hint: 'such as {"seed": 1}' })
}

const optionsSchema = {
  type: 'object',
  properties: {
    ...GymEpisodeOptions.properties,
    episode_id: Type.String({ description: 'The same as trajectory_id.' }),
  },
}

/** Bodies of the stateless routes, for the API's document. */
export const STATELESS: { readonly reset: Type.TSchema; readonly step: Type.TSchema; readonly answer: Type.TSchema } = {
  reset: optionsSchema,
  step: { ...optionsSchema, properties: { ...optionsSchema.properties, action: GymTurn }, required: ['action'] },
  answer: Type.Object({
    observation: openEnvSchemas().observation,
    reward: Type.Union([Type.Number(), Type.Null()]),
    done: Type.Boolean(),
  }),
}
