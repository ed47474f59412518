import { afterEach, expect, it } from 'vitest'
import { everything, smallLake, trajectory, type SmallLake } from './small-lake.ts'

let lake: SmallLake
afterEach(async () => {
  await lake.close()
})

it.each([
  ['knows', true],
  ['does not know', false],
])('steps told by their pieces are read where the catalog %s which files have some', async (_what, isKnown) => {
  lake = await smallLake({}, (column) => isKnown || column !== 'raw_output')
  const whole = (index: number) => ({ step_index: index, raw_output: `whole ${index}` })
  const pieces = (index: number) => ({ step_index: index, answer_text: `piece ${index}` })
  const files = [[whole(0)], [pieces(1), pieces(2)], [whole(3), pieces(4)]]
  for (const steps of files)
    await lake.add({ steps: steps.map((step) => ({ run_id: 'r1', trajectory_id: 't1', ...step })) })
  await lake.add({ trajectories: [trajectory({ trajectory_id: 't1', n_steps: 5 })] })
  const request = { ...everything, recipe: 'sft' } as const
  const pinned = await lake.datasets.pin(request, { snapshotId: undefined, after: new Map(), waitMs: 0 })
  const result = await lake.datasets.ready(pinned, 20_000)
  if (!('manifest' in result)) throw new Error('not built in time')
  const path = await lake.blobs.localPath(result.manifest.object)
  const [row] = await lake.query(`SELECT * FROM read_parquet('${path}')`)
  const told = ((row?.['messages'] ?? []) as { content: string }[]).map(({ content }) => /\w+ \d/.exec(content)?.[0])
  expect(told).toEqual(['whole 0', 'piece 1', 'piece 2', 'whole 3', 'piece 4'])
})
