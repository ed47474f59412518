import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { experts, kinds } from '#services/gym/items/families.ts'
import { kindNamed } from '#services/gym/items/kinds.ts'
import { simulatedClock } from '#services/gym/loop/clock.ts'
import { openGym } from '#services/gym/loop/episodes.ts'
import { expertOf } from '#services/gym/policies/expert.ts'
import { writtenMove } from '#services/gym/policies/source.ts'
import { memoryRecorder } from '#services/gym/publish/recorder.ts'
import { openTools } from '#services/gym/tools/open.ts'
import type { EventData } from '#schemas/events.ts'
import type { AnswerKey } from '#services/gym/loop/answer-check.ts'
import type { ItemKind } from '#services/gym/items/item.ts'
import type { Gym, Reset } from '#services/gym/loop/gym.ts'
import type { ExpertHeard } from '#services/gym/policies/policy.ts'
import type { Tools } from '#services/gym/tools/tools.ts'

/** Those of the items as they are, and those of the swapped ones: they share nothing, and remember no call. */
const [ownTools, otherTools] = [1, 2].map(() => openTools({ threads: 1, cacheBytesMax: 0 })) as [Tools, Tools]
afterAll(() => Promise.all([ownTools.close(), otherTools.close()]))
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** The same items, their key and their evidence replaced. */
function swapped(kind: ItemKind): ItemKind {
  return {
    ...kind,
    make: (request) => {
      const scene = kind.make(request)
      return { ...scene, key: otherKey(scene.key), evidence: [], scene: { swapped: true } }
    },
  }
}

function otherKey(key: AnswerKey): AnswerKey {
  const other = key.choices?.find((choice) => choice !== key.answer[0]) ?? '987'
  return { ...key, answer: [other] }
}

/** Plays one episode with the expert, and says all that was shown, heard and recorded. */
async function played(kind: ItemKind, tools: Tools) {
  const recorder = memoryRecorder()
  const gym = openGym({
    kinds: [kind],
    tools,
    recorder,
    clock: simulatedClock(Date.UTC(2026, 0, 5)),
    run_id: 'swap',
    newId: () => 'id',
    logger: () => {},
  })
  closing.push(() => gym.close())
  const begun = await gym.reset({ kind: kind.kind, seed: 5, split: 'test', index: 1, level: 1 })
  const turns = await playedOut(gym, begun)
  const steps = recorder
    .take()
    .events.flatMap(({ type, data }) => (type === 'step.recorded' ? [data as EventData<'step.recorded'>] : []))
  const calls = steps.flatMap(({ tool_calls }) =>
    // How long it took is measured.
    (tool_calls ?? []).map((call) => ({ ...call, latency_ms: 0, queued_ms: 0 })),
  )
  return { begun, turns, calls }
}

async function playedOut(gym: Gym, begun: Reset) {
  const expert = expertOf(experts, begun.family)
  const heard: ExpertHeard[] = []
  const results = []
  for (;;) {
    const raw = writtenMove(expert(begun.question, begun.choices, heard))
    const result = await gym.step(begun.episode_id, raw)
    results.push({ raw, observation: result.observation, done: result.done, reward: result.reward })
    if (result.done) return results
    if (result.heard !== null) heard.push(result.heard)
  }
}

describe('an episode whose key was swapped', () => {
  it.each(['spatial/count', 'geometry/angles', 'chart/colours'])(
    'of %s shows, calls and hears the same, and is paid otherwise',
    async (name) => {
      const kind = kindNamed(kinds, name)
      const [own, other] = [await played(kind, ownTools), await played(swapped(kind), otherTools)]
      expect(other.begun).toEqual(own.begun)
      expect(own.calls.length).toBeGreaterThan(0)
      expect(other.calls).toEqual(own.calls)
      const told = ({ turns }: typeof own) => turns.map(({ raw, observation, done }) => ({ raw, observation, done }))
      expect(told(other)).toEqual(told(own))
      expect([own.turns.at(-1)?.reward, other.turns.at(-1)?.reward]).toEqual([2, 1])
    },
  )
})
