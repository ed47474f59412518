import { infographic } from './infographic.ts'
import { mapClass, mapCompare } from './map-kinds.ts'
import type { ItemKind } from '#services/gym/items/item.ts'

export { expert } from './expert.ts'

export const kinds: readonly ItemKind[] = [mapClass, mapCompare, infographic]
