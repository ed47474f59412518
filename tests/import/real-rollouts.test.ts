import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { addTally, noTally, type Input } from '#services/import/unit.ts'
import { imported, messagesOf, ofType, type Sent } from './tau-bench-world.ts'

const root = dirname(dirname(import.meta.dirname))
const real = join(dirname(root), 'shared/data/tau-bench/gpt-4o-airline-15-tasks.json')

describe.skipIf(!existsSync(real))('60 real rollouts (skipped where ../shared/data/tau-bench is not there)', () => {
  const file: Input = {
    name: real,
    bytes: existsSync(real) ? statSync(real).size : 0,
    open: () => createReadStream(real),
  }

  test('give the figures that the file is known to have', async () => {
    const { units, events, faults } = await imported([file])
    expect(faults).toEqual([])
    const tally = noTally()
    for (const unit of units) addTally(tally, unit.tally)
    expect(tally).toEqual({
      trajectories: 60,
      steps: 789,
      tool_calls: 390,
      items: 15,
      groups: 15,
      events: 60 * 2 + 789 + 15 + 2,
    })
    const finished = ofType(events, 'trajectory.finished')
    expect(finished.reduce((sum, data) => sum + Number(data['reward']), 0) / 60).toBe(0.5)
    const withText = ofType(events, 'step.recorded').filter(
      (data) => data['tool_calls'] !== undefined && typeof data['raw_output'] === 'string',
    )
    expect(withText).toHaveLength(22)
    const calls = ofType(events, 'step.recorded').flatMap(
      (data) => (data['tool_calls'] as { name: string; status?: string }[] | undefined) ?? [],
    )
    expect(calls.every(({ status }) => status !== undefined)).toBe(true)
    expect(calls.filter(({ name }) => name === 'get_reservation_details')).toHaveLength(125)
    expect(new Set(ofType(events, 'trajectory.started').map((data) => data['group_size']))).toEqual(new Set([4]))
  })

  test('come back message by message', async () => {
    const records = JSON.parse(readFileSync(real, 'utf8')) as { task_id: number; trial: number; traj: Sent[] }[]
    const { events } = await imported([file])
    let messages = 0
    for (const { task_id, trial, traj } of records) {
      const found = messagesOf(events, `gpt-4o-airline-15-tasks/airline/${task_id}/${trial}`)
      expect(found).toEqual(traj)
      messages += found.length
    }
    expect(messages).toBe(1698)
  })
})
