import { field, lineItem } from './kinds.ts'
import type { ItemKind } from '#services/gym/items/item.ts'

export { expert } from './expert.ts'

export const kinds: readonly ItemKind[] = [field, lineItem]
