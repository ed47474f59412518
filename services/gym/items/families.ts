/** The families of questions, put together. */
import { expert as chartExpert, kinds as chartKinds } from '#services/gym/families/chart/index.ts'
import { expert as documentExpert, kinds as documentKinds } from '#services/gym/families/document/index.ts'
import { expert as geometryExpert, kinds as geometryKinds } from '#services/gym/families/geometry/index.ts'
import { expert as geospatialExpert, kinds as geospatialKinds } from '#services/gym/families/geospatial/index.ts'
import { expert as othersExpert, kinds as othersKinds } from '#services/gym/families/others/index.ts'
import { expert as scientificExpert, kinds as scientificKinds } from '#services/gym/families/scientific/index.ts'
import { expert as spatialExpert, kinds as spatialKinds } from '#services/gym/families/spatial/index.ts'
import type { Experts } from '#services/gym/policies/source.ts'
import type { ItemKind } from './item.ts'

/** All kinds of questions, in the order of the families. */
export const kinds: readonly ItemKind[] = [
  ...chartKinds,
  ...geometryKinds,
  ...geospatialKinds,
  ...scientificKinds,
  ...documentKinds,
  ...spatialKinds,
  ...othersKinds,
]

/** The expert of each family. */
export const experts: Experts = {
  chart: chartExpert,
  geometry: geometryExpert,
  geospatial: geospatialExpert,
  scientific: scientificExpert,
  document: documentExpert,
  spatial: spatialExpert,
  others: othersExpert,
}
