/**
 * Compares what clients saw with what lies in Kafka, Postgres, lake and API: everything acknowledged is there once,
 * nothing came out of nowhere, no trajectory has a gap, and no read was older than it asked for.
 */
import { formatOffsets, includes } from '#services/position.ts'
import type { Found, FoundStep, History, SentFact, WholeStep } from './history.ts'

export type Kind = 'lost' | 'doubled' | 'out_of_nowhere' | 'gap' | 'stale' | 'differs'

export interface Violation {
  readonly kind: Kind
  readonly where: 'kafka' | 'store' | 'lake' | 'api' | 'read' | 'verify'
  readonly what: string
}

const keyOf = ({ trajectoryId, step }: FoundStep): string => `${trajectoryId} step ${step}`

/** Everything that is wrong; nothing where all promises were kept. */
export function check(history: History, found: Found): Violation[] {
  return [
    ...checkKafka(history, found),
    ...checkLakeEvents(found),
    ...checkSteps('store', history, found.kafka, found.storeSteps),
    ...checkSteps('lake', history, found.kafka, found.lakeSteps),
    ...checkSteps('api', history, found.kafka, found.apiSteps),
    ...checkTexts('lake', history, found.lakeSteps),
    ...checkTexts('api', history, found.apiSteps),
    ...checkVerdicts(found),
    ...checkReads(history),
    ...checkSnapshots(history),
    ...found.differences.map((what): Violation => ({ kind: 'differs', where: 'verify', what })),
  ]
}

/** How many records of Kafka are there again. */
export const copiesIn = ({ kafka }: Found): number => [...kafka.values()].reduce((sum, times) => sum + times - 1, 0)

/** Kafka keeps what was acknowledged, and nothing that was not sent. More copies than one are told apart by the verdicts. */
function* checkKafka({ facts }: History, { kafka }: Found): Iterable<Violation> {
  const sent = new Set(facts.map(({ hash }) => hash))
  for (const fact of facts) {
    const times = kafka.get(fact.hash) ?? 0
    if (fact.acks > 0 && times === 0) yield { kind: 'lost', where: 'kafka', what: nameOf(fact) }
    if (fact.attempts === 0 && times > 0) yield { kind: 'out_of_nowhere', where: 'kafka', what: nameOf(fact) }
  }
  for (const hash of kafka.keys())
    if (!sent.has(hash)) yield { kind: 'out_of_nowhere', where: 'kafka', what: `a record with hash ${hash}` }
}

/** The lake's events are the log, record by record. */
function* checkLakeEvents({ kafka, lakeEvents }: Found): Iterable<Violation> {
  for (const [hash, times] of kafka) {
    const { rows = 0, places = 0 } = lakeEvents.get(hash) ?? {}
    const what = `events: the record with hash ${hash} is ${times} times in Kafka, ${rows} times in the lake`
    if (places < times) yield { kind: 'lost', where: 'lake', what }
    if (rows > times || rows > places) yield { kind: 'doubled', where: 'lake', what }
  }
  for (const hash of lakeEvents.keys())
    if (!kafka.has(hash)) yield { kind: 'out_of_nowhere', where: 'lake', what: `events: a record with hash ${hash}` }
}

/** Steps are there once each where Kafka has them, and are 0, 1, 2 … in each trajectory. */
function* checkSteps(
  where: 'store' | 'lake' | 'api',
  { facts }: History,
  kafka: ReadonlyMap<string, number>,
  found: readonly FoundStep[],
): Iterable<Violation> {
  const times = new Map<string, number>()
  const ofTrajectory = new Map<string, number[]>()
  for (const step of found) {
    times.set(keyOf(step), (times.get(keyOf(step)) ?? 0) + 1)
    ofTrajectory.set(step.trajectoryId, [...(ofTrajectory.get(step.trajectoryId) ?? []), step.step])
  }
  for (const [key, n] of times) if (n > 1) yield { kind: 'doubled', where, what: `${key} is there ${n} times` }
  const known = new Set<string>()
  for (const fact of facts) {
    if (fact.step === null) continue
    const key = keyOf({ trajectoryId: fact.trajectoryId, step: fact.step })
    if (fact.attempts > 0) known.add(key)
    const isOwed = fact.acks > 0 || kafka.has(fact.hash)
    if (isOwed && !times.has(key)) yield { kind: 'lost', where, what: key }
  }
  for (const key of times.keys()) if (!known.has(key)) yield { kind: 'out_of_nowhere', where, what: key }
  for (const [trajectoryId, steps] of ofTrajectory) {
    const distinct = new Set(steps)
    const last = Math.max(...steps)
    if (distinct.size !== last + 1)
      yield { kind: 'gap', where, what: `${trajectoryId} has ${distinct.size} of the steps 0 to ${last}` }
  }
}

function* checkTexts(where: 'lake' | 'api', { facts }: History, steps: readonly WholeStep[]): Iterable<Violation> {
  const sent = new Map(
    facts.flatMap(({ trajectoryId, step, text }) => (step === null ? [] : [[keyOf({ trajectoryId, step }), text]])),
  )
  for (const step of steps) {
    const text = sent.get(keyOf(step))
    if (text !== undefined && text !== step.text)
      yield { kind: 'differs', where, what: `${keyOf(step)} says ${JSON.stringify(step.text.slice(0, 80))}` }
  }
}

/** Each copy after the first is a duplicate, and nothing else was judged but facts. */
function* checkVerdicts(found: Found): Iterable<Violation> {
  const { kafka, verdicts, accepted } = found
  const expected: Readonly<Record<string, number>> = { duplicate: copiesIn(found) }
  for (const verdict of new Set([...Object.keys(verdicts), 'duplicate'])) {
    const [want = 0, have = 0] = [expected[verdict], verdicts[verdict]]
    if (have !== want)
      yield { kind: 'differs', where: 'store', what: `${have} records were judged ${verdict}, and ${want} should be` }
  }
  if (accepted !== kafka.size)
    yield { kind: 'differs', where: 'store', what: `${accepted} records were accepted of ${kafka.size} different ones` }
}

/** A read holds what was acknowledged before the position that it asked for, once each, and says so; and nothing that nobody sent. */
function* checkReads({ facts, reads }: History): Iterable<Violation> {
  const sent = new Set(
    facts.flatMap(({ trajectoryId, step, attempts }) =>
      step === null || attempts === 0 ? [] : [keyOf({ trajectoryId, step })],
    ),
  )
  for (const { trajectoryId, after, position, acked, found } of reads) {
    const asked = `${trajectoryId} after ${formatOffsets(after)}`
    if (position === undefined || !includes(position, after))
      yield {
        kind: 'stale',
        where: 'read',
        what: `${asked} was answered from ${position === undefined ? 'no position' : formatOffsets(position) || 'nothing'}`,
      }
    const missing = acked.filter((step) => !found.includes(step))
    if (missing.length > 0)
      yield { kind: 'stale', where: 'read', what: `${asked} lacks the steps ${missing.join(', ')}` }
    if (new Set(found).size !== found.length)
      yield { kind: 'doubled', where: 'read', what: `${asked} has the steps ${found.join(', ')}` }
    const strange = found.filter((step) => !sent.has(keyOf({ trajectoryId, step })))
    if (strange.length > 0)
      yield { kind: 'out_of_nowhere', where: 'read', what: `${asked} has the steps ${strange.join(', ')}` }
  }
}

/** The snapshot that is answered includes what was asked for. */
function* checkSnapshots({ snapshots }: History): Iterable<Violation> {
  for (const { after, cut } of snapshots) {
    if (cut !== undefined && includes(cut, after)) continue
    const what = `a snapshot after ${formatOffsets(after)} has ${cut === undefined ? 'no cut' : formatOffsets(cut) || 'nothing'}`
    yield { kind: 'stale', where: 'read', what }
  }
}

const nameOf = ({ trajectoryId, step, hash }: SentFact): string =>
  step === null ? `an event of ${trajectoryId} with hash ${hash}` : keyOf({ trajectoryId, step })
