/** Names for what several expressions share, as nested queries. */
import type { Layer } from '#services/datasets/shapes/shape.ts'

/** A relation with the columns of `relation` and those of each layer, which may use the ones before. They are read as `w`. */
export function layered(relation: string, layers: readonly Layer[]): string {
  return layers.reduce(
    (from, layer) =>
      `(SELECT w.*, ${Object.entries(layer)
        .map(([name, sql]) => `${sql} AS ${name}`)
        .join(', ')} FROM ${from} w)`,
    relation,
  )
}
