import { describe, expect, it } from 'vitest'
import { compiledProblem, sqlProblem } from '#services/datasets/sql-problem.ts'
import { Problem } from '#services/problem.ts'
import { receivedProblem, sentProblem } from '#services/sent-problem.ts'

/** The error as it is on the other side of a thread or a process. */
const across = (error: unknown): Error => receivedProblem(structuredClone(sentProblem(error)), 'lake process')

describe('an error that crosses a process', () => {
  it('is the same problem there: code, words, hint, details, when to try again, and its cause', () => {
    const problem = new Problem('behind', 'not yet', {
      hint: 'wait',
      details: { parameter: 'after' },
      retryAfterSeconds: 3,
      cause: new Error('the disk is full'),
    })
    const got = across(problem)
    expect(got).toBeInstanceOf(Problem)
    expect(got).toMatchObject({
      code: 'behind',
      message: 'not yet',
      hint: 'wait',
      details: { parameter: 'after' },
      retryAfterSeconds: 3,
      cause: { message: expect.stringContaining('the disk is full') },
    })
    const bare = across(new Problem('not_found', 'gone'))
    expect(bare).toMatchObject({ hint: undefined, details: {} })
    expect(bare.cause).toBeUndefined()
  })

  it('is no problem there where it was none, and says where it happened', () => {
    const got = across(new TypeError('x is not a function'))
    expect(got).not.toBeInstanceOf(Problem)
    expect(got.message).toMatch(/^in the lake process: .*x is not a function/s)
    expect(across('only a text').message).toBe('in the lake process: only a text')
  })

  it('keeps the words in which SQL says what the request did wrong', () => {
    const marked = sqlProblem('group_size', 'no run says it', 'send group_size').slice(1, -1).replaceAll("''", "'")
    expect(compiledProblem(across(new Error(`Invalid Input Error: ${marked}`)))).toMatchObject({
      code: 'invalid_parameter',
      message: 'no run says it',
      hint: 'send group_size',
      details: { parameter: 'group_size' },
    })
  })
})
