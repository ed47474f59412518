import { nearest } from '#services/core/nearest.ts'
import { Problem } from '#services/problem.ts'
import { FAMILIES, type Family, type ItemKind, type ItemRequest, type Split, type Style } from './item.ts'

/** Which items are meant: those of a kind, of a family, or of all. */
export type StreamChoice = {
  readonly kind?: string
  readonly families?: readonly Family[]
  readonly seed: number
  readonly split: Split
  readonly style: Style
  /** Left out: the levels of each kind in turn. */
  readonly level?: number
}

/** An item that is meant, and its kind. */
export type Chosen = { readonly kind: ItemKind; readonly request: ItemRequest }

const words = { split: ['train', 'test'], style: ['ordinary', 'unseen'] } as const

/** The id of an item: the same for the same request, another one for every other. */
export function itemId({ kind }: ItemKind, { seed, split, index, level, style }: ItemRequest): string {
  return `${kind}/${split}/${seed}/${String(index).padStart(4, '0')}-l${level}${style === 'unseen' ? '-unseen' : ''}`
}

/** The item of an id that `itemId` gave. Throws `invalid` for what is none, naming the nearest known kind. */
export function chosenById(kinds: readonly ItemKind[], id: string): Chosen {
  const match = /^([a-z]+\/[a-z0-9-]+)\/(train|test)\/(\d{1,15})\/(\d{4,9})-l(\d{1,3})(-unseen)?$/.exec(id)
  if (match === null) {
    throw new Problem('invalid', `${JSON.stringify(id.slice(0, 120))} is no item id`, {
      hint: 'an item id looks like chart/yes-no/test/7/0003-l1',
    })
  }
  const [, kind = '', split = '', seed, index, level, unseen] = match
  return checked(kindNamed(kinds, kind), {
    seed: Number(seed),
    split: split === 'test' ? 'test' : 'train',
    index: Number(index),
    level: Number(level),
    style: unseen === undefined ? 'ordinary' : 'unseen',
  })
}

/**
 * The item at place `index` of a stream. A stream over several families takes them in turn, and of each its kinds in
 * turn; so a stream is the same however much of it is read. Throws `invalid` for a level that a kind has not.
 */
export function chosenInStream(kinds: readonly ItemKind[], choice: StreamChoice, index: number): Chosen {
  const { kind, place } =
    choice.kind === undefined ? inTurn(kinds, choice, index) : { kind: kindNamed(kinds, choice.kind), place: index }
  const level = choice.level ?? place % kind.levels.length
  return checked(kind, { seed: choice.seed, split: choice.split, style: choice.style, index: place, level })
}

function inTurn(
  kinds: readonly ItemKind[],
  { families = FAMILIES }: StreamChoice,
  index: number,
): { kind: ItemKind; place: number } {
  const known = families.filter((family) => kinds.some((kind) => kind.family === family))
  const family = known[index % Math.max(1, known.length)]
  const ofFamily = kinds.filter((kind) => kind.family === family)
  const round = Math.floor(index / Math.max(1, known.length))
  const kind = ofFamily[round % Math.max(1, ofFamily.length)]
  if (kind === undefined) {
    throw new Problem('invalid', `there are no items of ${families.join(', ') || 'no family'}`, {
      hint: `the families are ${[...new Set(kinds.map((each) => each.family))].join(', ')}`,
    })
  }
  return { kind, place: Math.floor(round / ofFamily.length) }
}

/** The kind of that name. Throws `invalid`, naming the nearest known one. */
export function kindNamed(kinds: readonly ItemKind[], name: string): ItemKind {
  const found = kinds.find(({ kind }) => kind === name)
  if (found !== undefined) return found
  const known = kinds.map(({ kind }) => kind)
  const near = nearest(name, known)
  throw new Problem('invalid', `there is no kind of item ${JSON.stringify(name.slice(0, 80))}`, {
    hint:
      near === undefined
        ? `the kinds are ${known.join(', ')}`
        : `did you mean ${near}? The kinds are ${known.join(', ')}`,
  })
}

/** The families of a list such as `chart,document`, or `all`. Throws `invalid`, naming the nearest known one. */
export function familiesOf(text: string): readonly Family[] {
  if (text === 'all') return FAMILIES
  return text.split(',').map((given) => {
    const name = given.trim()
    const found = FAMILIES.find((family) => family === name)
    if (found !== undefined) return found
    const near = nearest(name, FAMILIES)
    throw new Problem('invalid', `there is no family ${JSON.stringify(name.slice(0, 40))}`, {
      hint: `${near === undefined ? '' : `did you mean ${near}? `}The families are ${FAMILIES.join(', ')}, or all of them: all`,
    })
  })
}

/** A split or style by its word. Throws `invalid` for another word. */
export function wordOf<Name extends keyof typeof words>(name: Name, text: string): (typeof words)[Name][number] {
  const known: readonly (typeof words)[Name][number][] = words[name]
  const found = known.find((word) => word === text)
  if (found !== undefined) return found
  throw new Problem('invalid', `${name} ${JSON.stringify(text.slice(0, 40))} is not known`, {
    hint: `use ${known.join(' or ')}`,
  })
}

function checked(kind: ItemKind, request: ItemRequest): Chosen {
  const whole = (value: number, below: number): boolean => Number.isSafeInteger(value) && value >= 0 && value < below
  if (!whole(request.level, kind.levels.length)) {
    throw new Problem('invalid', `${kind.kind} has no level ${request.level}`, {
      hint: `its levels are 0 to ${kind.levels.length - 1}`,
    })
  }
  if (!whole(request.index, 1e9) || !whole(request.seed, 1e15)) {
    throw new Problem('invalid', `seed ${request.seed} and index ${request.index} are not both possible`, {
      hint: 'use whole numbers from 0; an index below a thousand million',
    })
  }
  return { kind, request }
}
