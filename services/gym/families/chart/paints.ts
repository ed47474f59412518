import type { Style } from '#services/gym/items/item.ts'
import type { Random } from '#services/gym/random.ts'

/** A colour that a mark is painted in, and what a person calls it. */
export type Paint = { readonly name: string; readonly hex: string }

/** The page of a chart: neutral, so that what is coloured on it is a mark. */
export type Page = {
  readonly ground: string
  readonly ink: string
  readonly faint: string
  readonly axis: string
  readonly grid: string
}

/** Anchors of the mark colours: any two differ in name to the eye. Each is moved a little before it is used. */
const anchors: Readonly<Record<string, readonly [red: number, green: number, blue: number]>> = {
  red: [214, 39, 40],
  orange: [255, 132, 20],
  gold: [228, 184, 12],
  green: [44, 150, 50],
  teal: [16, 158, 150],
  'sky blue': [96, 182, 236],
  blue: [36, 92, 204],
  purple: [136, 72, 178],
  pink: [236, 122, 186],
  brown: [140, 80, 52],
  lime: [158, 208, 54],
}

export const paintNames: readonly string[] = Object.keys(anchors)

const ordinaryPages: readonly Page[] = [
  { ground: '#ffffff', ink: '#1f2430', faint: '#4a4f5a', axis: '#888c94', grid: '#e3e5e8' },
  { ground: '#fbf8f2', ink: '#33302a', faint: '#55504a', axis: '#8f8a82', grid: '#e8e3da' },
  { ground: '#f3f5f8', ink: '#1c2430', faint: '#4c5562', axis: '#87909c', grid: '#dde1e7' },
  { ground: '#ebebeb', ink: '#222222', faint: '#444444', axis: '#777777', grid: '#ffffff' },
]

const unseenPages: readonly Page[] = [
  { ground: '#fffdf4', ink: '#2c2b28', faint: '#504e49', axis: '#6f6c66', grid: '#e4e0d2' },
  { ground: '#f4f1f6', ink: '#2a2730', faint: '#4d4a55', axis: '#7d7a86', grid: '#dcd8e0' },
  { ground: '#20242c', ink: '#f2f3f5', faint: '#c9ccd2', axis: '#8d929c', grid: '#3a3f49' },
]

/** How far each channel of an anchor moves: further in the style that no tool was tuned on. */
const moved: Readonly<Record<Style, number>> = { ordinary: 7, unseen: 13 }

/** `count` paints of different names, at most as many as there are names. */
export function seededPaints(chance: Random, style: Style, count: number): Paint[] {
  return chance
    .shuffle(paintNames)
    .slice(0, count)
    .map((name) => {
      const hex = (anchors[name] ?? [0, 0, 0]).map((level) => {
        const jittered = level + Math.round((chance.next() * 2 - 1) * moved[style])
        return Math.max(0, Math.min(255, jittered)).toString(16).padStart(2, '0')
      })
      return { name, hex: `#${hex.join('')}` }
    })
}

export function seededPage(chance: Random, style: Style): Page {
  return chance.pick(style === 'ordinary' ? ordinaryPages : unseenPages)
}
