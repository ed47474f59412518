import type { Random } from '#services/gym/random.ts'
import {
  COLOURS,
  MATERIALS,
  SHAPES,
  SIZES,
  type Colour,
  type Material,
  type Shape,
  type Size,
  type Solid,
} from './scene.ts'

/** Some of what a thing is like. What is left out does not matter. */
export type Description = {
  readonly size?: Size
  readonly colour?: Colour
  readonly material?: Material
  readonly shape?: Shape
}

export const ATTRIBUTES = ['size', 'colour', 'material', 'shape'] as const
export type Attribute = (typeof ATTRIBUTES)[number]

export function fits(solid: Solid, description: Description): boolean {
  return ATTRIBUTES.every((name) => description[name] === undefined || solid[name] === description[name])
}

/** Such as "small red metal cube", or "things" for no shape. */
export function worded({ size, colour, material, shape }: Description, isPlural = false): string {
  const noun = `${shape ?? 'thing'}${isPlural ? 's' : ''}`
  return [size, colour, material, noun].filter((word) => word !== undefined).join(' ')
}

/** A description of `parts` attributes that is drawn at random. */
export function anyDescription(chance: Random, parts: number): Description {
  const names = chance.shuffle(ATTRIBUTES).slice(0, parts)
  return only(
    {
      size: chance.pick(SIZES),
      colour: chance.pick(COLOURS),
      material: chance.pick(MATERIALS),
      shape: chance.pick(SHAPES),
    },
    names,
  )
}

/** What a thing is like, in these attributes. */
export function only(solid: Required<Description>, names: readonly Attribute[]): Description {
  return {
    ...(names.includes('size') ? { size: solid.size } : {}),
    ...(names.includes('colour') ? { colour: solid.colour } : {}),
    ...(names.includes('material') ? { material: solid.material } : {}),
    ...(names.includes('shape') ? { shape: solid.shape } : {}),
  }
}

/** The shortest description of a thing that fits no other, without the attributes in `hidden`; null where there is none. */
export function uniqueDescription(
  chance: Random,
  solid: Solid,
  solids: readonly Solid[],
  hidden: readonly Attribute[] = [],
): Description | null {
  const names = chance.shuffle(ATTRIBUTES.filter((name) => !hidden.includes(name)))
  for (let parts = 1; parts <= names.length; parts++) {
    for (let from = 0; from + parts <= names.length; from++) {
      const description = only(solid, names.slice(from, from + parts))
      if (solids.filter((other) => fits(other, description)).length === 1) return description
    }
  }
  const all = only(solid, names)
  return solids.filter((other) => fits(other, all)).length === 1 ? all : null
}
