/** Which tools a prompt names: enough for the experts of each family, and no more than can be needed. */
import { afterEach, describe, expect, it } from 'vitest'
import { FAMILIES } from '#services/gym/items/item.ts'
import { experts, kinds } from '#services/gym/items/families.ts'
import { isOffered, nameOf } from '#services/gym/tools/offered.ts'
import { definitions, registry, toolSchemas } from '#services/gym/tools/registry.ts'
import { loopWorld, type LoopWorld } from './loop-world.ts'

const open: LoopWorld[] = []
afterEach(async () => {
  for (const { gym, tools } of open.splice(0)) {
    await gym.close()
    await tools.close()
  }
})

describe('the tools of a family', () => {
  it.each(FAMILIES)('%s: hold every tool that its expert asks', (family) => {
    const asked = new Set<string>()
    for (const kind of kinds.filter((each) => each.family === family)) {
      for (let index = 0; index < 8; index++) {
        const level = index % kind.levels.length
        const { question, key } = kind.make({ seed: 11, split: 'train', index, level, style: 'ordinary' })
        const first = experts[family]?.(question, key.choices ?? [], [])
        if (first !== undefined && 'tool' in first) asked.add(first.tool)
      }
    }
    expect(asked.size).toBeGreaterThan(0)
    for (const name of asked) {
      const found = registry().find(name, null)
      expect(found).toHaveProperty('details')
      if ('details' in found) expect([name, isOffered(found.definition, family)]).toEqual([name, true])
    }
  })

  it('leave out most of the others, and each tool is offered to some family', () => {
    const all = JSON.stringify(toolSchemas(definitions)).length
    for (const family of FAMILIES) {
      const offered = definitions.filter((each) => isOffered(each, family))
      expect(JSON.stringify(toolSchemas(offered)).length).toBeLessThan(all * 0.7)
      expect(offered.map(({ name }) => name)).toContain('easyocr')
    }
    for (const each of definitions)
      expect([each.name, FAMILIES.some((family) => isOffered(each, family))]).toEqual([each.name, true])
  })
})

describe('a prompt', () => {
  it('names the tools for its family, or all where that is asked for; each can be called all the same', async () => {
    const world = await loopWorld()
    open.push(world)
    const named = async (reset: Record<string, unknown>) => {
      const { observation } = await world.gym.reset(reset)
      const recorded = world.events('trajectory.started').at(-1)?.tools ?? []
      return [String(observation.messages[0]?.content), recorded.map((each) => nameOf(each as Record<string, unknown>))]
    }
    const [text, recorded] = await named({ index: 0 })
    expect(recorded).toEqual(['teller'])
    expect(text).toContain('- teller:')
    expect(text).not.toContain('- idler:')
    const [everything, all] = await named({ index: 1, tools: 'all' })
    expect(all).toEqual(['teller', 'idler'])
    expect(everything).toContain('- idler:')
    const { episode_id } = await world.gym.reset({ index: 2 })
    const call = '<think>a</think><tool_call>{"tool": "idler"}</tool_call>'
    expect(await world.gym.step(episode_id, call)).toMatchObject({ valid: true, heard: { tool: 'idler' } })
    await expect(world.gym.reset({ tools: 'none' })).rejects.toThrow(/tools is "none"/)
  })
})
