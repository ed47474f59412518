/** How a gym is, as verl-tool's router tells it (JSON) and as Prometheus reads it. */
import type { GymCounts } from '#services/gym/loop/gym.ts'

export interface GymFigures extends GymCounts {
  readonly active_requests: number
  readonly requests: number
  readonly cached_responses: number
  readonly sessions: number
  readonly uptime_s: number
}

const MEANINGS: Readonly<Record<keyof GymFigures, readonly ['counter' | 'gauge', string]>> = {
  episodes_open: ['gauge', 'Episodes that are open.'],
  episodes_max: ['gauge', 'How many may be.'],
  episodes_started: ['counter', 'Episodes that have begun.'],
  episodes_ended: ['counter', 'Episodes that have ended.'],
  steps: ['counter', 'Turns that were taken.'],
  active_requests: ['gauge', 'HTTP requests under way.'],
  requests: ['counter', 'HTTP requests.'],
  cached_responses: ['gauge', 'Answers kept for requests that are sent again.'],
  sessions: ['gauge', 'OpenEnv sessions.'],
  uptime_s: ['counter', 'Seconds since the start.'],
}

const names = Object.keys(MEANINGS) as (keyof GymFigures)[]

/** The figures, and nothing else that a count may bear. */
export const metricsJson = (figures: GymFigures): Record<string, number> =>
  Object.fromEntries(names.map((name) => [name, figures[name]]))

/** The same as text for Prometheus. */
export function metricsText(figures: GymFigures): string {
  return names
    .map((name) => {
      const [type, meaning] = MEANINGS[name]
      const full = `stepstore_gym_${name}${type === 'counter' && name !== 'uptime_s' ? '_total' : ''}`
      return `# HELP ${full} ${meaning}\n# TYPE ${full} ${type}\n${full} ${figures[name]}\n`
    })
    .join('')
}
