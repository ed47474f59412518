/** The gym's own OpenAPI document: its faces at the address where it listens. */
import type { TSchema } from 'typebox'
import {
  GymAbout,
  GymEpisodes,
  GymEpisodesRequest,
  GymState,
  GymSteps,
  GymStepsRequest,
  GymTools,
} from '#schemas/http-gym.ts'
import { ROUTER_ANSWER, ROUTER_REQUEST } from './router.ts'
import { openEnvSchemas, STATELESS } from './openenv.ts'

interface Described {
  readonly summary: string
  readonly body?: TSchema
  readonly answer?: TSchema
  readonly status?: number
  readonly type?: string
}

const anything: TSchema = { type: 'object' }

function routes(): Readonly<Record<string, Readonly<Record<string, Described>>>> {
  const { state } = openEnvSchemas()
  return {
    '/v1/gym': { get: { summary: 'What can be asked of this gym', answer: GymAbout } },
    '/v1/gym/tools': { get: { summary: 'The registry of tools, with their schemas', answer: GymTools } },
    '/v1/gym/episodes': { post: { summary: 'Begin episodes', body: GymEpisodesRequest, answer: GymEpisodes } },
    '/v1/gym/steps': { post: { summary: 'Take turns of many episodes', body: GymStepsRequest, answer: GymSteps } },
    '/v1/gym/episodes/{episode_id}': {
      get: { summary: 'An episode as it stands', answer: GymState },
      delete: { summary: 'End an episode', status: 204 },
    },
    '/v1/gym/images/{sha256}': { get: { summary: 'A picture of an open episode', type: 'image/png' } },
    '/health': { get: { summary: 'OpenEnv: whether it is healthy', answer: anything } },
    '/metadata': { get: { summary: 'OpenEnv: what it is', answer: anything } },
    '/schema': { get: { summary: 'OpenEnv: schemas of actions, observations and state', answer: anything } },
    '/state': { get: { summary: 'OpenEnv: the state of a fresh environment', answer: state } },
    '/reset': {
      post: {
        summary: 'OpenEnv: a question, from an environment of its own',
        body: STATELESS.reset,
        answer: STATELESS.answer,
      },
    },
    '/step': {
      post: {
        summary: 'OpenEnv: one turn, in an environment of its own',
        body: STATELESS.step,
        answer: STATELESS.answer,
      },
    },
    '/mcp': {
      post: { summary: 'OpenEnv: JSON-RPC 2.0, of which tools/list is answered', body: anything, answer: anything },
    },
    '/ws': { get: { summary: 'OpenEnv: a session, over a WebSocket', status: 101 } },
    '/get_observation': {
      post: { summary: 'verl-tool: turns of many trajectories', body: ROUTER_REQUEST, answer: ROUTER_ANSWER },
    },
    '/healthz': { get: { summary: 'Whether the process lives', answer: anything } },
    '/readyz': { get: { summary: 'Whether it can be asked', answer: anything } },
    '/metrics': { get: { summary: 'How it is; text for Prometheus where that is asked for', answer: anything } },
  }
}

function operation(
  path: string,
  { summary, body, answer, status = 200, type = 'application/json' }: Described,
): unknown {
  const content =
    answer === undefined && type === 'application/json' ? {} : { content: { [type]: { schema: answer ?? {} } } }
  return {
    summary,
    parameters: [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    })),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: {
      [String(status)]: { description: summary, ...content },
      default: {
        description: 'A problem (RFC 9457) with code, detail and hint.',
        content: { 'application/problem+json': { schema: {} } },
      },
    },
  }
}

/** The document of a gym at `url`. */
export function gymOpenApi(url: string): Record<string, unknown> {
  return {
    openapi: '3.1.0',
    info: { title: 'Stepstore gym', version: '1' },
    servers: [{ url }],
    paths: Object.fromEntries(
      Object.entries(routes()).map(([path, methods]) => [
        path,
        Object.fromEntries(Object.entries(methods).map(([method, described]) => [method, operation(path, described)])),
      ]),
    ),
  }
}
