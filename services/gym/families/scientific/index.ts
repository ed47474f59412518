/** Scientific reasoning, after ScienceQA and AI2D. */
export { expert } from './expert.ts'
export { kinds } from './kinds.ts'
