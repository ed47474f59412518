import { random } from '#services/gym/random.ts'

/** The time of one episode. */
export type EpisodeClock = {
  /** Whether durations are measured, not drawn. */
  readonly measures: boolean
  /** Milliseconds since 1970. */
  now(): number
  /** A turn was written: answers how long that took, in ms. `given` is what the policy measured itself. */
  wrote(tokens: number, given: number | undefined): number
  /** A tool ran for `measured` ms: answers how long that took. */
  called(measured: number): number
}

/** Where episodes get their time from; `kind` is kept in the run's config. */
export type GymClock = {
  readonly kind: 'real' | 'simulated'
  /** Milliseconds since 1970, outside of episodes. */
  now(): number
  episode(trajectoryId: string): EpisodeClock
}

/** The clock on the wall; durations are measured. */
export function realClock(now: () => number = Date.now): GymClock {
  return {
    kind: 'real',
    now,
    episode: () => {
      let heard = now()
      return {
        measures: true,
        now,
        wrote: (_, given) => Math.max(0, Math.round(given ?? now() - heard)),
        called: (measured) => {
          heard = now()
          return Math.max(0, Math.round(measured))
        },
      }
    },
  }
}

/** Starts at a fixed instant; `startMs` says when an episode begins. Durations are drawn from the trajectory's id. */
export function simulatedClock(epochMs: number, startMs: (trajectoryId: string) => number = () => epochMs): GymClock {
  return {
    kind: 'simulated',
    now: () => epochMs,
    episode: (trajectoryId) => {
      const chance = random('clock', trajectoryId)
      let at = startMs(trajectoryId)
      const passed = (ms: number): number => {
        at += ms
        return ms
      }
      return {
        measures: false,
        now: () => at,
        wrote: (tokens) => passed(chance.int(90, 180) + tokens * chance.int(8, 13)),
        called: () => passed(chance.int(18, 95)),
      }
    },
  }
}
