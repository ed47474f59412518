import { random, type Random } from '#services/gym/random.ts'
import type { Box, ItemRequest } from '#services/gym/items/item.ts'

export const COLOURS = ['gray', 'red', 'blue', 'green', 'brown', 'purple', 'cyan', 'yellow'] as const
export const SHAPES = ['cube', 'sphere', 'cylinder'] as const
export const SIZES = ['small', 'large'] as const
export const MATERIALS = ['metal', 'rubber'] as const

export type Colour = (typeof COLOURS)[number]
export type Shape = (typeof SHAPES)[number]
export type Size = (typeof SIZES)[number]
export type Material = (typeof MATERIALS)[number]

/** A thing on the ground. `x` is its middle and `y` where it stands, in pixels of the picture; a larger y is nearer. */
export type Solid = {
  readonly colour: Colour
  readonly shape: Shape
  readonly size: Size
  readonly material: Material
  readonly x: number
  readonly y: number
  readonly box: Box
}

export const PICTURE = { width: 480, height: 320 } as const

/** How far apart things stand: so that left and right, near and far are plain to see, and outlines do not meet. */
const asideMin = 14
const diameters = { small: 35, large: 64 } as const

/**
 * Things of a scene, at places drawn until none hides another. The sum of all x and y is even in training scenes and odd
 * in test scenes, so no scene occurs in both. `wish` may fix what the first things are like.
 */
export function solids(
  request: ItemRequest,
  kind: string,
  count: number,
  gap: number,
  wish: readonly Partial<Solid>[] = [],
): readonly Solid[] {
  const { seed, split, index, level, style } = request
  for (let attempt = 0; attempt < 500; attempt++) {
    const chance = random(seed, 'spatial', kind, split, style, level, index, 'things', attempt)
    const placed: Solid[] = []
    for (let place = 0; place < count; place++) {
      const solid = placedSolid(chance, wish[place] ?? {}, placed, gap)
      if (solid === null) break
      placed.push(solid)
    }
    if (placed.length < count) continue
    const sum = placed.reduce((total, { x, y }) => total + x + y, 0)
    if (sum % 2 === (split === 'test' ? 1 : 0)) return placed.toSorted((a, b) => a.y - b.y)
  }
  throw new RangeError(`no room for ${count} things with ${gap} pixels between them`)
}

function placedSolid(chance: Random, wish: Partial<Solid>, placed: readonly Solid[], gap: number): Solid | null {
  const look = {
    colour: wish.colour ?? chance.pick(COLOURS),
    shape: wish.shape ?? chance.pick(SHAPES),
    size: wish.size ?? chance.pick(SIZES),
    material: wish.material ?? chance.pick(MATERIALS),
  }
  for (let attempt = 0; attempt < 60; attempt++) {
    const [x, y] = [chance.int(45, PICTURE.width - 45), chance.int(115, PICTURE.height - 16)]
    const box = boxOf(look.shape, look.size, x, y)
    const isFree = placed.every(
      (other) =>
        Math.abs(other.x - x) >= asideMin &&
        Math.abs(other.y - y) >= asideMin &&
        (box[0] - gap >= other.box[2] ||
          box[2] + gap <= other.box[0] ||
          box[1] - gap >= other.box[3] ||
          box[3] + gap <= other.box[1]),
    )
    if (isFree && box[0] >= 6 && box[2] <= PICTURE.width - 6) return { ...look, x, y, box }
  }
  return null
}

/** The height of a thing in pixels: what is farther away is smaller. */
export function tallness(size: Size, y: number): number {
  return diameters[size] * (0.8 + (0.28 * (y - 110)) / 190)
}

/** How a solid is built, in shares of its height. */
export const CUBE = { face: 0.76, depth: 0.24 } as const
export const CYLINDER = { width: 0.84, rim: 0.13 } as const

function boxOf(shape: Shape, size: Size, x: number, y: number): Box {
  const tall = tallness(size, y)
  const wide = shape === 'cylinder' ? tall * CYLINDER.width : tall
  return [Math.floor(x - wide / 2), Math.floor(y - tall), Math.ceil(x + wide / 2), Math.ceil(y)]
}
