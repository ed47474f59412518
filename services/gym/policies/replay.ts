import { Problem } from '#services/problem.ts'
import type { Policy } from './policy.ts'

/** Writes the turns of a stored trajectory again, whatever it hears. Throws `conflict` when it is asked for more. */
export function replayPolicy(rawTurns: readonly string[]): Policy {
  let written = 0
  return {
    turn: async () => {
      const raw = rawTurns[written++]
      if (raw !== undefined) return { raw }
      throw new Problem(
        'conflict',
        `the stored trajectory has ${rawTurns.length} turns, and another one is asked for`,
        {
          hint: 'replay it under the turn limit that it was played with',
        },
      )
    },
  }
}
