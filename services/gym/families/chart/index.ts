export { expert } from './expert.ts'
export { kinds } from './kinds.ts'
