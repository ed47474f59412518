/** The laws of the fold, on random histories and with no database: once, any order, same rows. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keysOf } from '#services/core/fold/keys.ts'
import type { Judged } from '#services/core/fold/fact.ts'
import { fold } from '#services/core/fold/fold.ts'
import { type Changes, FoldState } from '#services/core/fold/state.ts'
import type { NewRecord } from '#services/log/log.ts'
import { readEvent } from '#services/core/event-reader.ts'
import { judge } from '#services/core/judge.ts'
import { history, recordOf, type SentEvent } from '#tests/support/histories.ts'

/** Folds records as one partition of one log; `seen` may say otherwise what was judged. */
function folded(records: readonly NewRecord[], seen = (judged: Judged, _record: NewRecord): Judged => judged): Changes {
  const state = new FoldState(0)
  records.forEach((record, offset) => {
    const raw = { partition: 0, offset, appendedAtMs: 0, headers: record.headers ?? {}, value: record.value }
    const judged = seen(
      judge(raw, () => 0),
      record,
    )
    for (const [table, key] of keysOf(judged)) if (!state.knows(table, key)) state.load(table, key, null)
    fold(state, judged)
  })
  return state.takeChanges()
}

const PLACES = /offset$/
const LATENESS = new Set(['n_late', 'n_duplicates'])

/** Rows as they are, places in the log and the record of lateness and duplicates left out, in order of key. */
function content(changes: Changes): unknown {
  const clean = (row: object) =>
    JSON.stringify(
      Object.entries(row).filter(([name]) => !PLACES.test(name) && !LATENESS.has(name)),
      (_, value: unknown) => (typeof value === 'number' && !Number.isFinite(value) ? String(value) : value),
    )
  const sorted = (rows: readonly object[] | undefined) => (rows ?? []).map(clean).sort()
  const totals = [...changes.runTotals].map(([run, { counts, firstEventAt, lastEventAt }]) => ({
    run,
    ...counts,
    firstEventAt,
    lastEventAt,
  }))
  return {
    rows: Object.fromEntries(Object.entries(changes.rows).map(([name, rows]) => [name, sorted(rows as object[])])),
    steps: sorted(changes.newSteps),
    totals: sorted(totals),
  }
}

const shuffled = (events: readonly SentEvent[], seed: number) => {
  const order = events.map((event, index) => ({ event, rank: Math.imul(index + 1, 2654435761 ^ seed) >>> 0 }))
  return order.sort((left, right) => left.rank - right.rank).map(({ event }) => event)
}

/** The judged event with all that its record says. */
function withBodies(judged: Judged, record: NewRecord): Judged {
  const event = readEvent(record.value, record.headers)
  return judged.readable === true && event.readable ? { ...judged, data: event.data } : judged
}

const IMAGES = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(64))

/** A start and a step with everything in them that is long, and with images in each place. */
const WHOLE: readonly SentEvent[] = [
  {
    type: 'trajectory.started',
    data: {
      trajectory_id: 't',
      run_id: 'r',
      item_id: 'i',
      policy_version: 1,
      prompt: [
        { role: 'system', content: 'long' },
        { role: 'user', content: [{ type: 'image', image_id: IMAGES[0] }], images: [IMAGES[1]] },
      ],
    },
    time: '2026-01-01T00:00:00Z',
  },
  {
    type: 'step.recorded',
    data: {
      trajectory_id: 't',
      step_index: 0,
      run_id: 'r',
      action_kind: 'tool_call',
      raw_output: 'long',
      think_text: 'long',
      completion_token_ids: [1, 2],
      logprobs: [-0.1, -0.2],
      tool_calls: [
        {
          name: 'crop',
          arguments: { box: [1] },
          raw_call: 'long',
          output_text: 'long',
          output_image_ids: [IMAGES[2]],
          error_codes: ['E1'],
          status: 'invalid',
        },
      ],
      observation: [{ role: 'tool', content: 'long', images: [IMAGES[3]] }],
      prompt_tokens: 7,
      completion_tokens: 2,
    },
    time: '2026-01-01T00:00:01Z',
  },
]

describe('the fold', () => {
  it('reads nothing of the bodies that judging lets go of', () => {
    const records = WHOLE.map((event) => recordOf(event))
    const changes = folded(records)
    expect(changes).toEqual(folded(records, withBodies))
    expect(changes.rows.trajectories?.[0]).toMatchObject({
      image_ids: IMAGES,
      n_invalid_tool_calls: 1,
      error_codes: { E1: 1 },
    })
    fc.assert(
      fc.property(history, (events) => {
        const sent = events.map((event) => recordOf(event))
        expect(folded(sent)).toEqual(folded(sent, withBodies))
      }),
    )
    const policy = {
      run_id: 'r',
      policy_version: 1,
      train_step: 1,
      info: { of: 'its own' },
      prompt: 'kept',
      logprobs: [1],
    }
    const published = folded([recordOf({ type: 'policy.published', data: policy, time: '2026-01-01T00:00:00Z' })])
    expect(published.rows.policies?.[0]?.data).toEqual(policy)
    const kept: string[] = []
    folded(records, (judged) => {
      kept.push(JSON.stringify(judged))
      return judged
    })
    expect(kept.filter((text) => text.includes('long'))).toEqual([])
  })

  it('gives the same rows whatever the order of arrival, where nothing conflicts', () => {
    fc.assert(
      fc.property(history, fc.integer(), (events, seed) => {
        expect(content(folded(shuffled(events, seed).map((event) => recordOf(event))))).toEqual(
          content(folded(events.map((event) => recordOf(event)))),
        )
      }),
      { numRuns: 150 },
    )
  })

  it('counts an event once however often it is sent, and counts the repeats', () => {
    fc.assert(
      fc.property(history, fc.array(fc.nat(), { minLength: 1, maxLength: 12 }), (events, picks) => {
        const once = events.map((event) => recordOf(event))
        const repeats = picks.map((pick, index) => recordOf(events[pick % events.length] as SentEvent, index + 1))
        const both = folded([...once, ...repeats])
        expect(content(both)).toEqual(content(folded(once)))
        expect(both.partitionTotals['n_duplicates']).toBe(repeats.length)
        expect(both.partitionTotals['n_accepted']).toBe(once.length)
        expect(both.verdicts.every((verdict) => verdict.verdict === 'duplicate' && verdict.first_offset !== null)).toBe(
          true,
        )
      }),
      { numRuns: 150 },
    )
  })

  it('keeps the first content of a key, sets the other aside and marks the trajectory', () => {
    const start: SentEvent = {
      type: 'trajectory.started',
      data: { trajectory_id: 't', run_id: 'r', item_id: 'i', policy_version: 1 },
      time: '2026-01-01T00:00:00Z',
    }
    const step = (raw: string): SentEvent => ({
      type: 'step.recorded',
      data: { trajectory_id: 't', step_index: 0, run_id: 'r', action_kind: 'answer', raw_output: raw },
      time: '2026-01-01T00:00:01Z',
    })
    const changes = folded([start, step('first'), step('second'), step('first')].map((event) => recordOf(event)))
    expect(changes.verdicts.map(({ offset, verdict, code }) => [offset, verdict, code])).toEqual([
      [2, 'conflict', 'other_content'],
      [3, 'duplicate', null],
    ])
    expect(changes.rows.trajectories?.[0]).toMatchObject({ n_steps_seen: 1, n_conflicts: 1, n_duplicates: 1 })
    expect(changes.newSteps.map(({ offset }) => offset)).toEqual([1])
    expect(changes.runTotals.get('r')?.counts).toMatchObject({
      n_steps: 1,
      n_conflicts: 1,
      n_duplicates: 1,
      n_trajectories: 1,
    })
  })

  it('refuses an event of another run for a trajectory', () => {
    const of = (run: string, stepIndex: number): SentEvent => ({
      type: 'step.recorded',
      data: { trajectory_id: 't', step_index: stepIndex, run_id: run, action_kind: 'answer' },
      time: '2026-01-01T00:00:00Z',
    })
    const changes = folded([of('a', 0), of('b', 1)].map((event) => recordOf(event)))
    expect(changes.verdicts[0]).toMatchObject({ verdict: 'conflict', code: 'trajectory_of_other_run' })
    expect(changes.runTotals.has('b')).toBe(false)
  })

  it('lets a checkpoint be published again with further fields, but not with other ones', () => {
    const policy = (data: object): SentEvent => ({
      type: 'policy.published',
      data: { run_id: 'r', policy_version: 1, train_step: 5, ...data },
      time: '2026-01-01T00:00:00Z',
    })
    const changes = folded(
      [policy({}), policy({ checkpoint_uri: 's3://c' }), policy({}), policy({ checkpoint_uri: 's3://other' })].map(
        (event) => recordOf(event),
      ),
    )
    expect(changes.verdicts.map(({ offset, verdict }) => [offset, verdict])).toEqual([
      [2, 'duplicate'],
      [3, 'conflict'],
    ])
    expect(changes.rows.policies?.[0]?.data).toEqual({
      checkpoint_uri: 's3://c',
      policy_version: 1,
      run_id: 'r',
      train_step: 5,
    })
  })

  it('does not compare what the definition says is not compared, and takes a bare observation for one tool message', () => {
    const run = (config: unknown): SentEvent => ({
      type: 'run.started',
      data: { run_id: 'r', kind: 'rl', config },
      time: '2026-01-01T00:00:00Z',
    })
    const step = (observation: unknown): SentEvent => ({
      type: 'step.recorded',
      data: { trajectory_id: 't', step_index: 0, run_id: 'r', action_kind: 'message', observation },
      time: '2026-01-01T00:00:00Z',
    })
    const changes = folded(
      [run(1), run(2), step('seen'), step([{ role: 'tool', content: 'seen' }])].map((event) => recordOf(event)),
    )
    expect(changes.verdicts.map(({ verdict }) => verdict)).toEqual(['duplicate', 'duplicate'])
  })
})
