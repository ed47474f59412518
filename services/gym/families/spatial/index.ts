/** Scenes of solids on a ground, after CLEVR and CLEVR-Math: counting, existence, comparison, attributes, relations, subtraction. */
export { expert } from './expert.ts'
export { kinds } from './kinds.ts'
