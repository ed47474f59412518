/** Geometric reasoning, after GeoQA, Geometry3K and UniGeo. */
export { expert } from './expert.ts'
export { kinds } from './kinds.ts'
