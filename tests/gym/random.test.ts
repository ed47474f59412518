import { describe, expect, it } from 'vitest'
import { random } from '#services/gym/random.ts'

describe('random', () => {
  it('gives the same numbers for the same seed and names, for ever', () => {
    const chance = random(1, 'item', 3, 'layout')
    const drawn = Array.from({ length: 3 }, () => chance.int(0, 1_000_000))
    expect(drawn).toEqual([995461, 549781, 589469])
  })

  it('keeps names apart, also where they would read the same when joined', () => {
    const first = (...names: (string | number)[]) => random(1, ...names).next()
    expect(new Set([first('a', 'b'), first('ab'), first('a,b'), first('b', 'a'), first('a', 'b', '')]).size).toBe(5)
  })

  it('draws whole numbers of the half-open range, each about as often', () => {
    const chance = random(7, 'spread')
    const counts = [0, 0, 0, 0, 0]
    for (let draw = 0; draw < 10_000; draw++) counts[chance.int(0, 5)]! += 1
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(200)
  })

  it('shuffles without losing or changing the list given', () => {
    const list = [1, 2, 3, 4, 5, 6, 7, 8]
    const shuffled = random(2, 'deck').shuffle(list)
    expect(list).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(shuffled).not.toEqual(list)
    expect(shuffled.toSorted((left, right) => left - right)).toEqual(list)
  })

  it('refuses to pick from nothing', () => {
    expect(() => random(1).pick([])).toThrow(/empty/)
  })
})
