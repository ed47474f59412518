import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { readEvent } from '#services/core/event-reader.ts'
import { responseCharsMax } from '#services/gym/loop/episode.ts'
import type { Gym, StepResult } from '#services/gym/loop/gym.ts'
import { loopWorld, type LoopWorld } from './loop-world.ts'

const call = (value: unknown): string => `<think>Look.</think><tool_call>${JSON.stringify(value)}</tool_call>`
const answer = (text: string): string => `<think>Said.</think><answer>${text}</answer>`
const tell = call({ tool: 'teller', task: 'tell', arguments: { region: [1, 2, 30, 40] } })

const open: LoopWorld[] = []
async function world(options: Parameters<typeof loopWorld>[0] = {}): Promise<LoopWorld> {
  const made = await loopWorld(options)
  open.push(made)
  return made
}
afterEach(async () => {
  for (const { gym, tools } of open.splice(0)) {
    await gym.close()
    await tools.close()
  }
})

async function played(gym: Gym, turns: readonly string[], reset: Record<string, unknown> = {}): Promise<StepResult[]> {
  const { episode_id } = await gym.reset(reset)
  const results: StepResult[] = []
  for (const turn of turns) results.push(await gym.step(episode_id, turn))
  return results
}

describe('an episode', () => {
  it('asks, hears, answers and is paid; every event of it can be read by ingest', async () => {
    const { gym, events, images, right } = await world()
    const begun = await gym.reset({ seed: 3, level: 1 })
    const heard = await gym.step(begun.episode_id, tell)
    const said = /number: (\d+)/.exec(heard.observation.text)?.[1] ?? ''
    expect(said).toBe(right(begun.item_id))
    expect(heard).toMatchObject({ done: false, reward: null, valid: true, codes: [], action_kind: 'tool_call' })
    expect(heard.observation.messages[0]).toMatchObject({ role: 'function', name: 'teller', tool_call_id: 'call_0' })
    const last = await gym.step(begun.episode_id, answer(said))
    expect(last).toMatchObject({ done: true, truncated: false, reward: 2, end_reason: 'answer', env_step_reward: 1 })
    expect(last.score).toMatchObject({ parts: { rep: 0, format: 1, correct: 1 }, reward_version: 'vista-1' })
    expect(images()).toHaveLength(1)
    for (const type of [
      'run.started',
      'item.registered',
      'image.registered',
      'trajectory.started',
      'step.recorded',
      'trajectory.finished',
    ] as const) {
      expect(events(type).length).toBeGreaterThan(0)
    }
    expect(events('step.recorded').map(({ step_index }) => step_index)).toEqual([0, 1])
    expect(events('trajectory.annotated')).toEqual([])
  })

  it('makes only events that ingest can read', async () => {
    const sent: unknown[] = []
    const { gym } = await world({ recorder: { add: async (events) => void sent.push(...events) } })
    await played(gym, ['', call({ tool: 'nobody' }), answer('7')])
    await played(gym, [call({ name: 'teller', arguments: { x: 1 } }), tell, answer('no number')])
    // Half of a surrogate pair can be written as an escape, which no reader of events takes.
    const half = String.raw`"\ud800"`
    for (const written of [
      `{"tool": ${half}}`,
      `{"tool": "teller", "task": ${half}}`,
      `{"tool": "teller", "arguments": {${half}: ${half}}}`,
      `{"tool": "teller", "arguments": {"confidence": 1e400, "region": [${half}]}}`,
      `{"tool": "${'n'.repeat(90_000)}", "arguments": ${'['.repeat(5000)}${']'.repeat(5000)}}`,
    ])
      await played(gym, [`<think>${half}\ud800</think><tool_call>${written}</tool_call>`])
    // An id of ours stays within 256 bytes, whatever the run is called.
    await played(gym, [tell], { run_id: '跑'.repeat(85) })
    const { episode_id } = await gym.reset({ sampling: { top: '\ud800', deep: [[[[[1]]]]] } })
    await gym.step(episode_id, { raw: answer('\ud800'), finish_reason: '\udfff', gen_ms: 1e300, prompt_tokens: 9e15 })
    expect(sent.length).toBeGreaterThan(30)
    for (const event of sent) expect(readEvent(Buffer.from(JSON.stringify(event)))).not.toHaveProperty('pointer')
  })

  it('ends after three turns, or, where max_turns counts the turns before the last, after four', async () => {
    const { gym, events } = await world()
    const three = await played(gym, [tell, tell, tell])
    expect(three.at(-1)).toMatchObject({ done: true, truncated: true, end_reason: 'max_turns', reward: -1 })
    const four = await played(gym, [tell, tell, tell, answer('1')], { turn_limit: 'tool_turns', index: 1 })
    expect(four.map(({ done }) => done)).toEqual([false, false, false, true])
    expect(four.map(({ observation }) => observation.turns_left)).toEqual([3, 2, 1, 0])
    expect(events('trajectory.finished').map(({ status }) => status)).toEqual(['truncated', 'completed'])
  })

  it('shows the whole history, and drops what stands behind the first call', async () => {
    const { gym } = await world()
    const { episode_id } = await gym.reset()
    const result = await gym.step(episode_id, `${tell} <think>and</think><tool_call>{"tool":"idler"}</tool_call>`)
    expect(result).toMatchObject({ valid: true, heard: { tool: 'teller' } })
    expect(result.codes).toContain('two_actions')
    const { messages } = gym.state(episode_id)
    expect(messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'function'])
    expect(messages[2]?.content).toBe(tell)
  })

  it('cuts long observations on the side that is asked for, and says so', async () => {
    const { gym, events } = await world()
    const call_ = call({ tool: 'x'.repeat(300) })
    const [end] = await played(gym, [call_], { observation_chars_max: 64 })
    const [start] = await played(gym, [call_], { observation_chars_max: 64, observation_cut: 'start' })
    expect(end?.observation).toMatchObject({ truncated: true, text: expect.stringMatching(/ \[cut\]$/) })
    expect(start?.observation).toMatchObject({ truncated: true, text: expect.stringMatching(/^\[cut\] /) })
    expect([end, start].map((result) => result?.observation.text.length)).toEqual([64, 64])
    expect(events('step.recorded').map(({ obs_truncated }) => obs_truncated)).toEqual([true, true])
  })

  it('keeps token ids and log probabilities, and masks nothing that the policy wrote', async () => {
    const { gym, events } = await world()
    const { episode_id } = await gym.reset()
    await gym.step(episode_id, {
      raw: answer('1'),
      completion_token_ids: [5, 6, 7],
      logprobs: [-0.1, -0.2, -0.3],
      prompt_tokens: 812,
      gen_ms: 40,
    })
    expect(events('step.recorded')[0]).toMatchObject({
      completion_token_ids: [5, 6, 7],
      loss_mask: [1, 1, 1],
      logprobs: [-0.1, -0.2, -0.3],
      prompt_tokens: 812,
      completion_tokens: 3,
    })
  })
})

describe('the lenient form', () => {
  const heading = 'It is plain.\n\n### Final Answer: 4\n'
  it.each([
    ['strict', 'Sure. <answer>4</answer>', false],
    ['lenient', 'Sure. <answer>4</answer>', true],
    ['strict', heading, false],
    ['lenient', heading, true],
    ['lenient', '**Final answer:** 4', true],
    ['lenient', 'It is 4.', false],
  ])('%s: %j', async (format, text, ok) => {
    const { gym } = await world()
    const [result] = await played(gym, [text], { format, max_turns: 1 })
    expect(result?.score?.format_ok).toBe(ok)
    expect(result?.score?.prediction_raw ?? null).toBe(
      format === 'lenient' && ok ? '4' : text.includes('<answer>') ? '4' : null,
    )
  })
})

describe('bad input', () => {
  it('is told by codes: a step after the end, an unknown episode, two steps at once', async () => {
    const { gym } = await world()
    const { episode_id } = await gym.reset()
    const first = gym.step(episode_id, tell)
    await expect(gym.step(episode_id, tell)).rejects.toMatchObject({ code: 'conflict' })
    await first
    await gym.step(episode_id, answer('1'))
    await expect(gym.step(episode_id, tell)).rejects.toMatchObject({ code: 'episode_over', status: 409 })
    await expect(gym.step('nobody', tell)).rejects.toMatchObject({ code: 'episode_unknown', status: 404 })
    expect(() => gym.state('nobody')).toThrow(/no episode nobody/)
    expect(gym.state(episode_id)).toMatchObject({ done: true, end_reason: 'answer', messages: [] })
  })

  it.each([
    [{ sed: 1 }, /unknown reset option "sed"/, /did you mean seed\?/],
    [{ seed: -1 }, /seed is -1/, /whole number/],
    [{ kind: 'others/numbers' }, /no kind of item/, /did you mean others\/number\?/],
    [{ family: 'other' }, /family is "other"/, /others/],
    [{ level: 7 }, /no level 7/, /0 to 1/],
    [{ item_id: 'others/number/test/1/0000-l0', seed: 1 }, /says already what seed/, /alone/],
    [{ item_id: 'number 5' }, /no item id/, /looks like/],
    [{ reward_version: 'vista-2' }, /no reward version/, /did you mean vista-1/],
    [{ reward_version: 'vista-1-difficulty' }, /needs the whole group/, /rescore/],
    [{ run_id: 'a\u0000b' }, /run_id is/, /control/],
    [{ trajectory_id: 'a\u0085' }, /trajectory_id is/, /control/],
    [{ group_id: '\ud800' }, /group_id is/, /control/],
    [{ sampling: { a: 'x'.repeat(20_000) } }, /sampling is an object/, /at most 16384 letters/],
    [{ sampling: { a: [[[[[[[[[]]]]]]]]] } }, /sampling is an object/, /levels deep/],
    [{ max_turns: 3.5 }, /max_turns is 3.5/, /1 to 32/],
    [{ format: 'loose' }, /format is "loose"/, /strict or lenient/],
  ])('%j is refused', async (options, message, hint) => {
    const { gym } = await world()
    const refused = gym.reset(options)
    await expect(refused).rejects.toMatchObject({ code: 'invalid', hint: expect.stringMatching(hint) })
    await expect(refused).rejects.toThrow(message)
    expect(gym.counts().episodes_open).toBe(0)
  })

  it('another reward version than that of its run is refused: its rewards would be filed under a wrong name', async () => {
    const { gym } = await world()
    await gym.reset({ run_id: 'a', reward_version: 'vista-1-dense' })
    await expect(gym.reset({ run_id: 'a', index: 1 })).rejects.toMatchObject({
      code: 'invalid',
      hint: expect.stringMatching(/another run_id/),
    })
    await gym.reset({ run_id: 'b', index: 1 })
  })

  it('an episode that is ended while a step is under way ends once', async () => {
    const { gym, events } = await world()
    const { episode_id } = await gym.reset()
    const step = gym.step(episode_id, tell)
    await gym.end(episode_id)
    await expect(step).rejects.toMatchObject({ code: 'episode_over' })
    expect(events('trajectory.finished')).toMatchObject([{ status: 'aborted', end_reason: 'user_stop', n_steps: 0 }])
    expect(events('step.recorded')).toEqual([])
  })

  it('a call to no tool is an observation, and the episode goes on', async () => {
    const { gym, events } = await world()
    const [result] = await played(gym, [call({ tool: 'tellr', task: 'tell' })])
    expect(result).toMatchObject({ valid: false, done: false, codes: ['NO_TOOL'], observation: { is_error: true } })
    expect(result?.observation.text).toMatch(/teller/)
    expect(events('trajectory.annotated')).toMatchObject([{ codes: ['NO_TOOL'], method: 'rule', step_index: 0 }])
  })

  it('1 MB of repeats ends the rollout as too long and costs no more than is kept', async () => {
    const { gym, events } = await world()
    const [result] = await played(gym, ['again '.repeat(170_000)])
    expect(result).toMatchObject({ done: true, truncated: true, end_reason: 'max_tokens', reward: -3 })
    expect(result?.codes).toContain('turn_too_long')
    expect(events('step.recorded')[0]?.raw_output).toHaveLength(responseCharsMax)
  })

  it('base64 in arguments is kept raw in the turn and capped in the call', async () => {
    const { gym, events } = await world()
    const base64 = Buffer.alloc(30_000, 7).toString('base64')
    const [result] = await played(gym, [call({ tool: 'teller', task: 'tell', arguments: { image: base64 } })])
    expect(result).toMatchObject({ done: false, codes: ['E2'] })
    const [step] = events('step.recorded')
    expect(step?.raw_output).toContain(base64)
    const [made] = step?.tool_calls ?? []
    expect(made?.raw_call?.length).toBeLessThanOrEqual(4096)
    expect(JSON.stringify(made?.arguments).length).toBeLessThan(5000)
  })

  it('nothing that is written throws: tags in any order, calls of any shape, arguments of any type', async () => {
    const { gym } = await world()
    const tag = fc.constantFrom(
      '<think>',
      '</think>',
      '<tool_call>',
      '</tool_call>',
      '<answer>',
      '</answer>',
      'x',
      '{}',
      '{"tool":',
    )
    const soup = fc.array(tag, { maxLength: 12 }).map((parts) => parts.join(''))
    const value = fc.jsonValue({ maxDepth: 3 })
    const shaped = fc
      .record(
        {
          tool: fc.oneof(fc.constant('teller'), value),
          name: value,
          task: fc.oneof(fc.constant('tell'), value),
          arguments: value,
          parameters: value,
        },
        { requiredKeys: [] },
      )
      .map(call)
    const typed = fc
      .record({ region: value, confidence: value })
      .map((given) => call({ tool: 'teller', task: 'tell', arguments: given }))
    const turn = fc.oneof(soup, shaped, typed, fc.string({ unit: 'binary', maxLength: 200 }))
    await fc.assert(
      fc.asyncProperty(
        fc.array(turn, { minLength: 1, maxLength: 3 }),
        fc.constantFrom('strict', 'lenient'),
        async (turns, format) => {
          const { episode_id } = await gym.reset({ format })
          for (const text of turns) {
            const result = await gym.step(episode_id, text)
            expect(result.observation.text.length).toBeLessThanOrEqual(8192)
            expect(result.valid || result.codes.length > 0 || result.done).toBe(true)
            if (result.done) {
              expect([-3, -2, -1.5, -1, 1, 2]).toContain(result.reward)
              return
            }
          }
          await gym.end(episode_id)
        },
      ),
      { numRuns: 150 },
    )
    expect(gym.counts().episodes_open).toBe(0)
  })
})

describe('a recorded call', () => {
  it('has its arguments in the form in which the tool is offered, and in that form it can be called', async () => {
    const { gym, events } = await world()
    const given = { confidence: 0.5 }
    await played(gym, [call({ tool: 'number_teller', task: 'tell', arguments: given })])
    await played(gym, [call({ name: 'teller', arguments: { task: 'tell', arguments: given } })], { index: 1 })
    const calls = events('step.recorded').flatMap(({ tool_calls }) => tool_calls ?? [])
    expect(calls.map(({ valid, task }) => [valid, task])).toEqual([
      [true, 'tell'],
      [true, 'tell'],
    ])
    expect(calls.map((made) => made.arguments)).toEqual([
      { task: 'tell', arguments: given },
      { task: 'tell', arguments: given },
    ])
  })
})

describe('many episodes', () => {
  it('1,000 are in flight at once, each with a memory that does not grow beyond its bounds', async () => {
    const { gym, events, right } = await world()
    const begun = await Promise.all(Array.from({ length: 1000 }, (_, index) => gym.reset({ index, max_turns: 32 })))
    const padded = tell.replace('Look.', 'Look. '.repeat(2) + 'x y z w '.repeat(600))
    for (const text of [tell, padded]) await Promise.all(begun.map(({ episode_id }) => gym.step(episode_id, text)))
    expect(gym.counts()).toMatchObject({ episodes_open: 1000, episodes_max: 1000 })
    const [first] = begun
    const sizes: number[] = []
    for (let turn = 0; turn < 29; turn++) {
      const { done } = await gym.step(first?.episode_id ?? '', padded)
      if (done) break
      sizes.push(JSON.stringify(gym.state(first?.episode_id ?? '').messages).length)
    }
    // Words of the policy and of 32 observations, however much it writes.
    expect(sizes.length).toBeGreaterThan(5)
    expect(Math.max(...sizes)).toBeLessThan(responseCharsMax + 32 * 8192 + 10_000)
    const last = await Promise.all(
      begun.slice(1).map(({ episode_id, item_id }) => gym.step(episode_id, answer(right(item_id)))),
    )
    // 600 repeats of a phrase are no sound thought: all are paid for that, and none for another's answer.
    expect(new Set(last.map(({ reward }) => reward))).toEqual(new Set([-3]))
    expect(last.every(({ score }) => score?.answer_match === true)).toBe(true)
    expect(gym.counts().episodes_open).toBe(0)
    expect(events('trajectory.finished')).toHaveLength(1000)
  })

  it('are refused beyond the most, and idle ones end by themselves', async () => {
    let now = 0
    const { gym, events } = await world({ episodes_max: 3, idle_ms: 1000, monotonic: () => now })
    for (let index = 0; index < 3; index++) await gym.reset({ index })
    await expect(gym.reset({ index: 3 })).rejects.toMatchObject({ code: 'too_many', retryAfterSeconds: 5 })
    now = 2000
    await expect.poll(() => gym.counts().episodes_open).toBe(0)
    expect(events('trajectory.finished')).toMatchObject([
      { status: 'aborted', end_reason: 'time_limit' },
      { status: 'aborted', end_reason: 'time_limit' },
      { status: 'aborted', end_reason: 'time_limit' },
    ])
    await gym.reset({ index: 4 })
  })

  it('forgets ended ones in the end', async () => {
    const { gym } = await world({ ended_max: 2 })
    const ids: string[] = []
    for (let index = 0; index < 3; index++) {
      const { episode_id } = await gym.reset({ index })
      await gym.step(episode_id, answer('1'))
      ids.push(episode_id)
    }
    await expect(gym.step(ids[0] ?? '', tell)).rejects.toMatchObject({ code: 'episode_unknown' })
    await expect(gym.step(ids[2] ?? '', tell)).rejects.toMatchObject({ code: 'episode_over' })
  })

  it('play the same however they are interleaved', async () => {
    const apart = await world()
    const together = await world()
    const turns = [tell, answer('3')]
    const options = [0, 1, 2, 3].map((index) => ({ index, trajectory_id: `t${index}` }))
    for (const one of options) await played(apart.gym, turns, one)
    await Promise.all(options.map((one) => played(together.gym, turns, one)))
    const of = ({ events }: LoopWorld) =>
      [...events('step.recorded'), ...events('trajectory.finished')].map((data) => JSON.stringify(data)).toSorted()
    expect(of(together)).toEqual(of(apart))
  })
})
