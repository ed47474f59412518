import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkedAnswer, type AnswerKey } from '#services/gym/loop/answer-check.ts'
import { rewardVersionNamed, rewardVersions } from '#services/gym/loop/reward-versions.ts'
import { rewardParts } from '#services/gym/loop/reward.ts'
import { envStepReward } from '#services/gym/loop/step-rewards.ts'
import { rescored, type StoredScore } from '#services/gym/run/rescore.ts'

const takes = (key: AnswerKey, said: readonly string[]): boolean[] =>
  said.map((text) => checkedAnswer(text, key).answer_match)

describe('answers', () => {
  it('within the tolerance of their key match, and say that they did not match exactly', () => {
    const key: AnswerKey = { answer: ['200'], answer_type: 'numeric', tolerance: 0.05 }
    expect(takes(key, ['200', '190', '210', '189.9', '210.1', '-200'])).toEqual([true, true, true, false, false, false])
    expect(checkedAnswer('191', key).match_method).toBe('number_tolerance')
    expect(checkedAnswer('200.0', key).match_method).toBe('number')
  })

  it('in per cent match their share too, unless that bears the sign itself', () => {
    const key: AnswerKey = { answer: ['45'], answer_type: 'numeric', unit: '%' }
    expect(takes(key, ['45', '45%', '45 percent', '0.45', '0.45 %', '4500'])).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
    ])
  })

  it('in another unit of the same measure are turned into the right one', () => {
    const key: AnswerKey = { answer: ['1240'], answer_type: 'numeric', unit: 'mm' }
    expect(takes(key, ['124 cm', '1.24 m', '1240 mm', '1240 kg', '124'])).toEqual([true, true, true, false, false])
    expect(
      takes({ answer: ['65'], answer_type: 'numeric', unit: '°' }, ['65°', '65 degrees', '65 deg', '65 %']),
    ).toEqual([true, true, true, false])
    expect(
      takes({ answer: ['$1,240.50'], answer_type: 'numeric', unit: '$' }, ['$1240.5', '1,240.50 dollars', '1240.5 €']),
    ).toEqual([true, true, false])
  })

  it('by a letter with the words of another choice are no answer', () => {
    const key: AnswerKey = { answer: ['Pear'], answer_type: 'choice', choices: ['Apple', 'Pear'] }
    expect(takes(key, ['B', 'b) Pear', 'B. Pear', 'B. Apple', 'A. Pear'])).toEqual([true, true, true, false, false])
  })

  it('that are lists match in any order unless order counts, each item once', () => {
    const key: AnswerKey = { answer: ['Oak', 'Elm', '12'], answer_type: 'list' }
    expect(
      takes(key, ['oak, elm, 12', '12; Oak; Elm', 'Oak, 12 and Elm', '["elm","oak",12]', '- Oak\n- Elm\n- 12.0']),
    ).toEqual([true, true, true, true, true])
    expect(takes(key, ['oak, elm', 'oak, oak, elm, 12', 'oak, oak, 12', ''])).toEqual([false, false, false, false])
    expect(takes({ ...key, ordered: true }, ['oak, elm, 12', 'elm, oak, 12'])).toEqual([true, false])
  })

  it('of any text never throw, and a right one always matches itself', () => {
    const types = fc.constantFrom('numeric', 'text', 'choice', 'yes_no', 'list')
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        types,
        fc.constantFrom('', '%', 'mm', '$'),
        (said, answer_type, unit) => {
          checkedAnswer(said, { answer: ['1', said], answer_type, choices: ['1', said], unit, tolerance: 0.1 })
        },
      ),
    )
    fc.assert(
      fc.property(fc.integer({ min: -1e9, max: 1e9 }), (value) => {
        expect(
          checkedAnswer(value.toLocaleString('en-US'), { answer: [String(value)], answer_type: 'numeric' })
            .answer_match,
        ).toBe(true)
      }),
    )
  })
})

describe('reward versions', () => {
  const right = rewardParts('none', true, true)
  const wrong = rewardParts('none', true, false)
  const malformed = rewardParts('none', false, true)
  const paid = (name: string, mean = Number.NaN) =>
    [right, wrong, malformed].map((parts) => rewardVersionNamed(name).paid(parts, mean))

  it('pay what the paper says, to 1e-9', () => {
    const close = (found: number[], wanted: number[]) =>
      found.forEach((value, index) => expect(value).toBeCloseTo(wanted[index] ?? Number.NaN, 9))
    close(paid('vista-1'), [2, 1, -1])
    close(paid('vista-1-dense'), [1, -0.5, -1.5])
    close(paid('vista-1-sparse'), [1, 0, 0])
    close(paid('vista-1-difficulty', 1), [2, 1, -1])
    close(paid('vista-1-difficulty', 1.5), [1.5, 0.75, -0.75])
    close(paid('vista-1-difficulty', 2), [1, 0.5, -0.5])
    expect(rewardVersions.map(({ name }) => name)).toHaveLength(4)
  })

  const stored = (trajectory_id: string, group_id: string | null, parts: StoredScore['parts']): StoredScore => ({
    trajectory_id,
    run_id: 'r',
    group_id,
    parts,
    answer_match: parts.correct === 1,
    format_ok: true,
  })

  it('score stored trajectories again, each by the mean of its own group', () => {
    const all = [
      stored('a/0', 'a', right),
      stored('a/1', 'a', wrong),
      stored('b/0', 'b', right),
      stored('alone', null, wrong),
      stored('unknown', 'b', { rep: null, format: null, correct: null }),
    ]
    const { events, unscored } = rescored(all, rewardVersionNamed('vista-1-difficulty'), 0)
    expect(events.map(({ data }) => [data.trajectory_id, data.reward])).toEqual([
      ['a/0', 1.5],
      ['a/1', 0.75],
      ['b/0', 1],
      ['alone', 1],
    ])
    expect(unscored).toBe(1)
    expect(new Set(events.map(({ data }) => data.reward_version))).toEqual(new Set(['vista-1-difficulty']))
  })
})

describe('the rewards of steps', () => {
  const ok = { status: 'ok', tool: 'chartmoe', task: 'to_table', n_detections: null, output_json: { rows: [[1]] } }
  const of = (call: Record<string, unknown>) =>
    envStepReward({ correct: null, call: { ...ok, ...call } as unknown as Parameters<typeof envStepReward>[0]['call'] })

  it('are those of the released environment', () => {
    expect(envStepReward({ correct: true, call: null })).toBe(1)
    expect(envStepReward({ correct: false, call: null })).toBe(0)
    expect(envStepReward({ correct: null, call: null })).toBe(-0.1)
    expect(of({})).toBe(0.25)
    expect(of({ output_json: { chart_type: 'bar', title: 'Rain', columns: ['month', 'mm'], rows: [] } })).toBe(0.1)
    expect(of({ output_json: { processed_output: 'month | mm' } })).toBe(0.25)
    expect(of({ tool: 'multimath', task: 'solve', output_json: { processed_output: '4', success: true } })).toBe(0.35)
    expect(of({ tool: 'easyocr', task: 'detect_and_recognize' })).toBe(0.05)
    expect(of({ tool: 'grounding_dino', task: 'detect', n_detections: 3 })).toBe(0.2)
    expect(of({ tool: 'grounding_dino', task: 'detect', n_detections: 0 })).toBe(0.05)
    expect(of({ tool: 'diagram_formalizer', task: 'solve', output_json: { answer: '4' } })).toBe(0.35)
    expect(of({ status: 'timeout' })).toBe(-0.1)
  })
})
