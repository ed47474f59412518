import { clock } from './clock.ts'
import { counting } from './counting.ts'
import { gauge } from './gauge.ts'
import { timetable } from './timetable.ts'
import type { ItemKind } from '#services/gym/items/item.ts'

export { expert } from './expert.ts'

export const kinds: readonly ItemKind[] = [clock, gauge, counting, timetable]
