import { describe, expect, test } from 'vitest'
import { stepstoreUnits } from '#services/import/stepstore.ts'
import type { Fault, Input, Unit } from '#services/import/unit.ts'

const event = (type: string, data: object) => JSON.stringify({ specversion: '1.0', id: '1', source: 'me', type, data })
const started = event('trajectory.started', {
  trajectory_id: 't',
  run_id: 'r',
  item_id: 'i',
  policy_version: 0,
  group_id: 'g',
})
const step = event('step.recorded', {
  trajectory_id: 't',
  step_index: 0,
  run_id: 'r',
  action_kind: 'tool_call',
  tool_calls: [{ name: 'a' }, { name: 'b' }],
})

async function imported(
  text: string | Uint8Array,
  size = 100,
): Promise<{ units: Unit[]; faults: Fault[]; sources: Set<string> }> {
  const bytes = Buffer.from(text as string)
  const input: Input = {
    name: 'x.ndjson',
    bytes: bytes.length,
    open: async function* () {
      // One buffer that is used again, as streams may do.
      for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size))
    },
  }
  const faults: Fault[] = []
  const sources = new Set<string>()
  const units: Unit[] = []
  for await (const unit of stepstoreUnits({
    inputs: [input],
    onFault: (fault) => faults.push(fault),
    onSource: (source) => sources.add(source),
  }))
    units.push(unit)
  return { units, faults, sources }
}

const texts = (units: readonly Unit[]) =>
  units.flatMap((unit) => unit.events.map((bytes) => Buffer.from(bytes).toString()))

describe('lines of events', () => {
  test.each([1, 7, 1000])('pass as they are, however the bytes are cut (%i at a time)', async (size) => {
    const { units, faults, sources } = await imported(`${started}\n\n  \r\n${step}\r\n${started}`, size)
    expect(texts(units)).toEqual([started, step, started])
    expect(faults).toEqual([])
    expect(sources).toEqual(new Set(['me']))
    expect(
      units.map(({ tally }) => [tally.trajectories, tally.groups, tally.steps, tally.tool_calls, tally.events]),
    ).toEqual([
      [1, 1, 0, 0, 1],
      [0, 0, 1, 2, 1],
      [1, 0, 0, 0, 1],
    ])
  })

  test('that cannot be read are reported with their place, and sent, since the log keeps them', async () => {
    const { units, faults } = await imported(`${started}\nnot json\n${step}\n`)
    expect(texts(units)).toEqual([started, 'not json', step])
    expect(faults).toEqual([
      expect.objectContaining({
        index: 1,
        byteOffset: started.length + 1,
        message: expect.stringContaining('malformed_json'),
      }),
    ])
  })

  test('that are too long are reported and left out', async () => {
    const { units, faults } = await imported(`${'x'.repeat(5e6)}\n${step}\n`, 65_536)
    expect(texts(units)).toEqual([step])
    expect(faults).toEqual([
      expect.objectContaining({ index: 0, byteOffset: 0, message: expect.stringContaining('4194304 bytes') }),
    ])
  })
})
