/** A dataset without rows says why: an empty file looks the same whether a name was mistyped or a filter was strict. */
import type { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PUBLIC_URL, served } from './served.ts'
import { smallLake, trajectory, type SmallLake } from './small-lake.ts'

let lake: SmallLake
let app: Hono

beforeAll(async () => {
  lake = await smallLake()
  await lake.add(
    {
      trajectories: [
        trajectory({ trajectory_id: 't1', run_id: 'here' }),
        trajectory({ trajectory_id: 't2', run_id: 'here', n_conflicts: 1 }),
      ],
      scores: [{ trajectory_id: 't1', offset: 1, reward: 1 }],
    },
    '0:5',
  )
  app = served(lake)
})

afterAll(async () => {
  await lake.close()
})

/** The answer with its body read, so that nothing stays open. */
async function asked(query: string): Promise<Response> {
  const response = await app.request(`${PUBLIC_URL}/v1/datasets/${query}`)
  const body = await response.arrayBuffer()
  return new Response(body.byteLength === 0 ? null : body, response)
}

describe('a dataset of a run that is not known', () => {
  it.each(['jsonl', 'parquet'])('is an empty %s that says so', async (format) => {
    const answer = await asked(`sft.${format}?run=heer`)
    expect([answer.status, answer.headers.get('stepstore-rows')]).toEqual([200, '0'])
    expect(answer.headers.get('stepstore-notice')).toBe(
      '0 rows: snapshot 1 has no trajectory of a run named "heer"; /v1/runs lists the runs',
    )
  })

  it('says so in its counts and its pin', async () => {
    for (const query of ['sft.parquet?run=heer&explain=counts', 'sft.parquet/pin?run=heer']) {
      expect(await (await asked(query)).json()).toMatchObject({ notice: expect.stringContaining('named "heer"') })
    }
  })

  it('is named in letters that a header takes', async () => {
    const answer = await asked(`sft.jsonl?run=${encodeURIComponent('läuft\u{1f600}')}`)
    expect(answer.headers.get('stepstore-notice')).toContain('"l\\u00e4uft\\ud83d\\ude00"')
  })
})

it('a dataset that filters emptied says which', async () => {
  const answer = await asked('sft.jsonl?run=here&reward_gte=5')
  expect(answer.headers.get('stepstore-notice')).toBe(
    '0 rows: of 2 trajectories 1 do not fit reward, 1 are left out as conflicted',
  )
})

it('a dataset with rows has nothing to say', async () => {
  const answer = await asked('sft.jsonl?run=here')
  expect([answer.headers.get('stepstore-rows'), answer.headers.get('stepstore-notice')]).toEqual(['1', null])
})
