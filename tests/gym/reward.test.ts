import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkedAnswer, readNumber, type AnswerKey } from '#services/gym/loop/answer-check.ts'
import { repetitionLevel } from '#services/gym/loop/repetition.ts'
import { rewardParts, scoredTurns, type ScoreRule } from '#services/gym/loop/reward.ts'
import { formatViolations, readTurn } from '#services/gym/loop/turn-grammar.ts'

const call = '<think>Look.</think><tool_call>{"name":"chart_to_table","arguments":{"task":"to_table"}}</tool_call>'
const right = '<think>Read.</think><answer>42</answer>'
const wrong = '<think>Read.</think><answer>41</answer>'
const key: AnswerKey = { answer: ['42'], answer_type: 'numeric', unit: 'mm' }
const stuck = (times: number): string =>
  `<think>${'Let me check the bars again. '.repeat(times)}</think><answer>42</answer>`

/** The score of a rollout's turns as they were written. */
const vistaReward = (turns: readonly string[], of: AnswerKey, rule: ScoreRule = { needs_tool_call: false }) =>
  scoredTurns(
    turns.map((raw) => ({ ...readTurn(raw, rule.format), rep_level: repetitionLevel(raw) })),
    of,
    rule,
  )

describe('the reward', () => {
  it.each([
    ['well formed and right', [call, right], 2, { rep: 0, format: 1, correct: 1 }],
    ['well formed and wrong', [call, wrong], 1, { rep: 0, format: 1, correct: 0 }],
    ['right without a tool call', [right], 2, { rep: 0, format: 1, correct: 1 }],
    ['malformed though right', [call, '<answer>42</answer>'], -1, { rep: 0, format: -1, correct: 0 }],
    ['malformed in an earlier turn', ['<tool_call>{}</tool_call>', right], -1, { rep: 0, format: -1, correct: 0 }],
    ['without an answer', [call, call, call], -1, { rep: 0, format: -1, correct: 0 }],
    ['empty', [], -1, { rep: 0, format: -1, correct: 0 }],
    ['moderately repetitive', [call, stuck(6)], -1.5, { rep: -1.5, format: 0, correct: 0 }],
    ['severely repetitive', [call, stuck(12)], -2, { rep: -2, format: 0, correct: 0 }],
    ['extremely repetitive', [call, stuck(40)], -3, { rep: -3, format: 0, correct: 0 }],
    ['repetitive in an earlier turn', [stuck(12), stuck(6)], -2, { rep: -2, format: 0, correct: 0 }],
  ])('of a rollout that is %s', (_, turns, reward, parts) => {
    expect(vistaReward(turns, key)).toMatchObject({ reward, parts })
  })

  it('is one of six values, whatever happens', () => {
    const rewards = new Set<number>()
    for (const level of ['none', 'moderate', 'severe', 'extreme'] as const) {
      for (const ok of [true, false]) {
        for (const match of [true, false]) {
          const { rep, format, correct } = rewardParts(level, ok, match)
          rewards.add(rep + format + correct)
        }
      }
    }
    expect([...rewards].toSorted((a, b) => a - b)).toEqual([-3, -2, -1.5, -1, 1, 2])
  })

  it('tells a right answer of bad form, and of a repetitive rollout', () => {
    expect(vistaReward([call, '<answer>42</answer>'], key)).toMatchObject({ answer_match: true, format_ok: false })
    expect(vistaReward([call, stuck(6)], key)).toMatchObject({
      answer_match: true,
      format_ok: true,
      rep_level: 'moderate',
    })
  })

  it('asks for a tool call where told to', () => {
    const score = vistaReward([right], key, { needs_tool_call: true })
    expect(score).toMatchObject({ reward: -1, format_violations: ['no_tool_call'] })
  })

  it('never throws', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string({ unit: 'binary' }), tagSoup), { maxLength: 4 }), (turns) => {
        expect(Number.isFinite(vistaReward(turns, key).reward)).toBe(true)
      }),
    )
  })
})

const tagSoup = fc
  .array(
    fc.constantFrom('<think>', '</think>', '<tool_call>', '</tool_call>', '<answer>', '</answer>', 'x', '42', '{}'),
  )
  .map((pieces) => pieces.join(''))

describe('the grammar of a turn', () => {
  it.each([
    ['<think>a</think><answer>b</answer>', 'answer', []],
    [' <think>a</think>\n<answer>b</answer>\n', 'answer', []],
    [call, 'tool_call', []],
    ['<answer>b</answer>', 'answer', ['think_missing']],
    ['<think>a<answer>b</answer>', 'answer', ['think_unclosed']],
    ['<think>a</think><answer>b', 'answer', ['action_unclosed']],
    ['<think>a</think>The answer is b.', 'invalid', ['action_missing', 'text_outside_tags']],
    ['<think>a</think>', 'invalid', ['action_missing']],
    ['<think>a <answer>b</answer></think>', 'answer', ['tags_out_of_order']],
    ['Sure! <think>a</think><answer>b</answer>', 'answer', ['text_outside_tags']],
    ['<answer>b</answer><think>a</think>', 'answer', ['think_not_first']],
    ['<think>a</think><think>a</think><answer>b</answer>', 'answer', ['tags_out_of_order']],
    ['<think>a</think><answer>b</answer><answer>c</answer>', 'answer', ['two_actions']],
    [`${call}<answer>b</answer>`, 'tool_call', ['two_actions']],
    ['<think>a</think><tool_call>{"name": </tool_call>', 'invalid', ['tool_call_not_json']],
    ['<think>a</think><tool_call>{"task": 1}</tool_call>', 'invalid', ['tool_call_without_name']],
    ['just words', 'invalid', ['think_missing', 'action_missing']],
    ['', 'invalid', ['think_missing', 'action_missing']],
  ])('reads %j', (raw, kind, violations) => {
    const turn = readTurn(raw)
    expect({ kind: turn.action_kind, violations: turn.violations }).toEqual({ kind, violations })
  })

  it('keeps a call that is not JSON as it was written, with the name it seems to have', () => {
    const raw = '{"name": "chart_to_table", "arguments": {"task": "to_table"}'
    const { call: written } = readTurn(`<think>a</think><tool_call>${raw}</tool_call>`)
    expect(written).toEqual({ raw, name: 'chart_to_table', arguments: raw, parsed: false })
  })

  it('finds an answer that is not at the end', () => {
    const turns = [right, call].map((raw) => readTurn(raw))
    expect(formatViolations(turns, { needs_tool_call: false })).toEqual(['no_answer', 'answer_before_end'])
  })
})

describe('the answer check', () => {
  const match = (prediction: string | null, other: Partial<AnswerKey>): boolean =>
    checkedAnswer(prediction, { ...key, ...other }).answer_match

  it.each(['1240', '1,240', '1 240', '1240.0', ' 1,240 mm. ', '"1240"', '１２４０'])('takes %j for 1240 mm', (said) => {
    expect(match(said, { answer: ['1240'] })).toBe(true)
  })

  it.each(['1241', '1240.01', '1178', '12,40', '1240 kg', '1.24e3', 'about 1240', '1240 or 1241', '', '-1240', 'NaN'])(
    'does not take %j for 1240 mm',
    (said) => {
      expect(match(said, { answer: ['1240'] })).toBe(false)
    },
  )

  it('takes the longer word for percent', () => {
    expect(readNumber('45 percent', '%')).toBe(45)
    expect(readNumber('45 %', '%')).toBe(45)
    expect(readNumber('45 %', 'mm')).toBeNull()
  })

  it('compares words but for case, spaces, quotes and a full stop; part of a label is not the label', () => {
    const label: Partial<AnswerKey> = { answer: ['Old Mill'], answer_type: 'text' }
    expect(['old mill', ' Old  Mill. ', '"Old Mill"'].map((said) => match(said, label))).toEqual([true, true, true])
    expect(['Mill', 'Old Mill or Castle', 'OldMill'].map((said) => match(said, label))).toEqual([false, false, false])
  })

  it('takes a choice by its letter', () => {
    const choice: Partial<AnswerKey> = { answer: ['Pear'], answer_type: 'choice', choices: ['Apple', 'Pear'] }
    expect(['B', '(b)', 'pear', 'A', 'Z'].map((said) => match(said, choice))).toEqual([true, true, true, false, false])
  })

  it('reads yes and no and their like', () => {
    const yes: Partial<AnswerKey> = { answer: ['yes'], answer_type: 'yes_no' }
    expect(['Yes', 'true', 'No', 'maybe', null].map((said) => match(said, yes))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ])
  })

  it('never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.constant(null), fc.string({ unit: 'binary' })),
        fc.constantFrom('numeric', 'text', 'choice', 'yes_no'),
        (said, answer_type) => {
          checkedAnswer(said, { answer: ['1', said ?? ''], answer_type, choices: ['1'], unit: '%' })
        },
      ),
    )
  })
})

describe('repetition', () => {
  it('is none in tables, rules and ordinary words', () => {
    const table = '| a | b |\n| --- | ---: |\n| x | 1 |\n'.repeat(3)
    const rule = '-'.repeat(200)
    const words = 'It is very, very far from here, and 1000000000 is a number.'
    expect([table, rule, words, ''].map(repetitionLevel)).toEqual(['none', 'none', 'none', 'none'])
  })

  it('sees loops of letters and of phrases', () => {
    expect(repetitionLevel('ha'.repeat(25))).toBe('moderate')
    expect(repetitionLevel('x'.repeat(50))).toBe('severe')
    expect(repetitionLevel('again and again '.repeat(30))).toBe('extreme')
    expect(repetitionLevel('one two three '.repeat(4))).toBe('none')
  })
})
