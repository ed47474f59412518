/** The checker finds what it is there to find: each kind of fault is planted in a history that has none. */
import { describe, expect, it } from 'vitest'
import { check, type Violation } from './checker.ts'
import type { Found, History, SeenRead, SeenSnapshot, SentFact } from './history.ts'

const TRAJECTORIES = ['a', 'b', 'c']
const STEPS = [0, 1, 2]

const fact = (trajectoryId: string, step: number | null, more: Partial<SentFact> = {}): SentFact => ({
  hash: `${trajectoryId}/${step}`,
  trajectoryId,
  step,
  text: step === null ? null : `text ${step}`,
  attempts: 1,
  acks: 1,
  refusals: 0,
  ...more,
})

const read = (more: Partial<SeenRead> = {}): SeenRead => ({
  trajectoryId: 'a',
  after: new Map([[0, 10]]),
  position: new Map([
    [0, 12],
    [1, 3],
  ]),
  acked: [0, 1],
  found: [0, 1, 2],
  ...more,
})

/** Three whole trajectories; one event was sent twice and lies in the log twice. */
function world(): {
  history: { facts: SentFact[]; reads: SeenRead[]; snapshots: SeenSnapshot[] }
  found: { -readonly [Name in keyof Found]: Found[Name] }
} {
  const facts = TRAJECTORIES.flatMap((id) => [fact(id, null), ...STEPS.map((step) => fact(id, step))])
  const kafka = new Map(facts.map(({ hash }) => [hash, 1]))
  kafka.set('a/1', 2)
  const steps = TRAJECTORIES.flatMap((trajectoryId) =>
    STEPS.map((step) => ({ trajectoryId, step, text: `text ${step}` })),
  )
  const snapshots = [{ after: new Map([[0, 10]]), cut: new Map([[0, 10]]) }]
  return {
    history: { facts, reads: [read()], snapshots },
    found: {
      kafka,
      lakeEvents: new Map([...kafka].map(([hash, times]) => [hash, { rows: times, places: times }])),
      storeSteps: steps,
      lakeSteps: steps,
      apiSteps: steps,
      verdicts: { duplicate: 1 },
      accepted: kafka.size,
      differences: [],
    },
  }
}

type World = ReturnType<typeof world>

/** What the checker says of a world after something was done to it. */
function after(plant: (world: World) => void): Violation[] {
  const planted = world()
  plant(planted)
  return check(planted.history satisfies History, planted.found)
}

const short = (violations: readonly Violation[]): string[] => violations.map(({ kind, where }) => `${kind} ${where}`)

describe('the checker of histories', () => {
  it('finds nothing where all is well', () => {
    expect(after(() => {})).toEqual([])
  })

  it.each(['storeSteps', 'lakeSteps', 'apiSteps'] as const)('finds a lost step in %s', (where) => {
    const name = where.replace('Steps', '')
    const lost = after(({ found }) => {
      found[where] = found[where].filter(({ trajectoryId, step }) => trajectoryId !== 'b' || step !== 2) as never
    })
    expect(short(lost)).toEqual([`lost ${name}`])
    expect(lost[0]?.what).toBe('b step 2')
  })

  it('finds an acknowledged event that Kafka does not have, and the step that is nowhere', () => {
    const lost = after(({ found }) => {
      found.kafka = new Map([...found.kafka].filter(([hash]) => hash !== 'c/2'))
    })
    expect(short(lost)).toContain('lost kafka')
  })

  it('finds a step that is in Kafka, was never acknowledged, and is lost behind it', () => {
    const lost = after(({ history, found }) => {
      history.facts.push(fact('c', 3, { acks: 0 }))
      found.kafka = new Map([...found.kafka, ['c/3', 1]])
      found.lakeEvents = new Map([...found.lakeEvents, ['c/3', { rows: 1, places: 1 }]])
      found.accepted += 1
    })
    expect(short(lost)).toEqual(['lost store', 'lost lake', 'lost api'])
  })

  it('forgives an event that was never acknowledged and is nowhere', () => {
    expect(after(({ history }) => history.facts.push(fact('c', 3, { acks: 0 })))).toEqual([])
  })

  it.each(['storeSteps', 'lakeSteps', 'apiSteps'] as const)('finds a doubled step in %s', (where) => {
    const doubled = after(({ found }) => {
      found[where] = [...found[where], found[where][4]] as never
    })
    expect(short(doubled)).toEqual([`doubled ${where.replace('Steps', '')}`])
  })

  it('finds a record that the lake has twice, and one that it lacks', () => {
    const doubled = after(({ found }) => {
      found.lakeEvents = new Map([...found.lakeEvents, ['b/0', { rows: 2, places: 1 }]])
    })
    expect(short(doubled)).toEqual(['doubled lake'])
    const lost = after(({ found }) => {
      found.lakeEvents = new Map([...found.lakeEvents].filter(([hash]) => hash !== 'b/0'))
    })
    expect(short(lost)).toEqual(['lost lake'])
  })

  it('finds a copy that was counted as a fact', () => {
    const counted = after(({ found }) => {
      found.verdicts = {}
      found.accepted += 1
    })
    expect(short(counted)).toEqual(['differs store', 'differs store'])
  })

  it('finds a conflict, which no client made', () => {
    expect(short(after(({ found }) => void (found.verdicts = { duplicate: 1, conflict: 1 })))).toEqual([
      'differs store',
    ])
  })

  it('finds what came out of nowhere', () => {
    const stranger = { trajectoryId: 'd', step: 0, text: '' }
    expect(short(after(({ found }) => void (found.lakeSteps = [...found.lakeSteps, stranger])))).toEqual([
      'out_of_nowhere lake',
    ])
    const record = after(({ found }) => {
      found.kafka = new Map([...found.kafka, ['never sent', 1]])
    })
    expect(short(record)).toContain('out_of_nowhere kafka')
  })

  it('finds a gap inside a trajectory', () => {
    const gap = after(({ history, found }) => {
      history.facts.splice(0, history.facts.length, ...history.facts.filter(({ hash }) => hash !== 'b/1'))
      found.kafka = new Map([...found.kafka].filter(([hash]) => hash !== 'b/1'))
      found.lakeEvents = new Map([...found.lakeEvents].filter(([hash]) => hash !== 'b/1'))
      found.accepted -= 1
      for (const where of ['storeSteps', 'lakeSteps', 'apiSteps'] as const)
        found[where] = found[where].filter(({ trajectoryId, step }) => trajectoryId !== 'b' || step !== 1) as never
    })
    expect(short(gap)).toEqual(['gap store', 'gap lake', 'gap api'])
  })

  it.each(['lakeSteps', 'apiSteps'] as const)('finds a step with the words of another in %s', (where) => {
    const differs = after(({ found }) => {
      found[where] = found[where].map((step, index) => (index === 5 ? { ...step, text: 'of another' } : step))
    })
    expect(short(differs)).toEqual([`differs ${where.replace('Steps', '')}`])
  })

  it('finds what verify found', () => {
    expect(short(after(({ found }) => void (found.differences = ['a row'])))).toEqual(['differs verify'])
  })

  it('finds a read with a step that nobody sent, and one with a step twice', () => {
    expect(short(after(({ history }) => history.reads.push(read({ found: [0, 1, 2, 3] }))))).toEqual([
      'out_of_nowhere read',
    ])
    expect(short(after(({ history }) => history.reads.push(read({ found: [0, 1, 1] }))))).toEqual(['doubled read'])
  })

  it.each([
    ['that lacks what was asked for', new Map([[0, 9]])],
    ['of another partition', new Map([[1, 99]])],
    ['that is not there', undefined],
  ])('finds a stale snapshot: one %s', (_, cut) => {
    const stale = after(({ history }) => history.snapshots.push({ after: new Map([[0, 10]]), cut }))
    expect(short(stale)).toEqual(['stale read'])
  })

  it.each([
    ['older than the position', { position: new Map([[0, 9]]) }],
    ['of another partition', { position: new Map([[1, 99]]) }],
    ['of no position', { position: undefined }],
    ['without a step that was acknowledged before', { found: [0] }],
  ] as const)('finds a stale read: %s', (_, more) => {
    const stale = after(({ history }) => history.reads.push(read(more)))
    expect(new Set(short(stale))).toEqual(new Set(['stale read']))
  })
})
