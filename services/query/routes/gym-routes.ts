/** The routes of the gym, as the reference describes them; where a process runs it, it serves them on the same port. */
import {
  GymAbout,
  GymEpisodes,
  GymEpisodesRequest,
  GymState,
  GymSteps,
  GymStepsRequest,
  GymTools,
} from '#schemas/http-gym.ts'
import { Problem } from '#services/problem.ts'
import { type Route, route } from '#services/query/route.ts'

const tag = 'Gym'

/** The front hands these to the gym; what comes here came to a process that does not run it. */
const handle = async (): Promise<Response> => {
  throw new Problem('not_found', 'this process does not run the gym', {
    hint: 'ask one that does: PROGRAMS unset or with gym in it, or stepstore gym serve',
  })
}
const episode = { episode_id: 'The episode.' }

export const GYM_ROUTES: readonly Route[] = [
  route({
    path: '/v1/gym',
    tag,
    summary: 'What can be asked of the gym',
    detail:
      'Families, kinds of questions with their levels, and the tools. OpenEnv clients connect to `/gym` (`/gym/ws`), verl-tool to `/gym/get_observation`; all faces, with their own reference, are at `/gym/openapi.json`.',
    parameters: {},
    answers: [{ status: 200, description: 'What there is.', schema: GymAbout }],
    problems: ['not_found', 'unavailable'],
    handle,
  }),
  route({
    path: '/v1/gym/tools',
    tag,
    summary: 'The tools of the gym',
    detail:
      'Every tool by family, subset and task, with its aliases, the JSON Schemas of arguments and answers, and its limits.',
    parameters: {},
    answers: [{ status: 200, description: 'The registry.', schema: GymTools }],
    problems: ['not_found', 'unavailable'],
    handle,
  }),
  route({
    method: 'POST',
    path: '/v1/gym/episodes',
    tag,
    summary: 'Begin episodes',
    detail:
      'Up to 1,000 at once. One that cannot be begun is a `problem` in its place, and costs the others nothing. What is played is recorded as a run.',
    parameters: {},
    requestTypes: { 'application/json': GymEpisodesRequest },
    answers: [{ status: 200, description: 'Those that have begun, in order.', schema: GymEpisodes }],
    problems: ['invalid', 'too_large', 'too_many', 'not_found', 'unavailable'],
    handle,
  }),
  route({
    method: 'POST',
    path: '/v1/gym/steps',
    tag,
    summary: 'Take turns of many episodes',
    detail:
      'One turn of each. With its `step_index` a turn may be sent again: it is taken once, and answered the same. The reward comes with the last turn.',
    parameters: {},
    requestTypes: { 'application/json': GymStepsRequest },
    answers: [{ status: 200, description: 'What came of them, in order.', schema: GymSteps }],
    problems: ['invalid', 'too_large', 'too_many', 'not_found', 'unavailable'],
    handle,
  }),
  route({
    path: '/v1/gym/episodes/{episode_id}',
    tag,
    summary: 'An episode as it stands',
    pathParameters: episode,
    parameters: {},
    answers: [{ status: 200, description: 'The episode.', schema: GymState }],
    problems: ['episode_unknown', 'not_found', 'unavailable'],
    handle,
  }),
  route({
    method: 'DELETE',
    path: '/v1/gym/episodes/{episode_id}',
    tag,
    summary: 'End an episode',
    detail: 'One that is open counts as aborted; nothing happens to one that has ended.',
    pathParameters: episode,
    parameters: {},
    answers: [{ status: 204, description: 'It has ended.' }],
    problems: ['episode_unknown', 'not_found', 'unavailable'],
    handle,
  }),
  route({
    path: '/v1/gym/images/{sha256}',
    tag,
    summary: 'A picture of an open episode',
    pathParameters: { sha256: 'The SHA-256 of its bytes.' },
    parameters: {},
    answers: [{ status: 200, description: 'The picture.', types: ['image/png'] }],
    problems: ['not_found', 'unavailable'],
    handle,
  }),
]
