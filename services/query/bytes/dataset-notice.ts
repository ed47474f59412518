/** Why a dataset has no rows, in a sentence: an empty file looks the same whether a name was mistyped or a filter was strict. */
import type { Counts } from '#services/datasets/manifest.ts'

/** Names in a notice; a request may name 200 runs. */
const NAMES_MAX = 5

/** Letters of ASCII only, since it goes into a header. */
const ascii = (text: string): string =>
  JSON.stringify(text).replaceAll(
    /[^\x20-\x7e]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/**
 * What to say of a dataset with these counts: undefined where it has rows. `filter` is the canonical filter as a query string.
 * The run is the first filter that a trajectory is judged by: where all fail it, no trajectory of a run of that name is there.
 */
export function emptyNotice(counts: Counts, filter: string, snapshot: number): string | undefined {
  const { trajectories, rows, filtered, left_out: leftOut } = counts
  if (rows > 0) return undefined
  const runs = new URLSearchParams(filter).getAll('run')
  if (runs.length > 0 && (filtered['run'] ?? 0) === trajectories) {
    const named = runs.slice(0, NAMES_MAX).map(ascii).join(', ')
    return `0 rows: snapshot ${snapshot} has no trajectory of a run named ${named}${runs.length > NAMES_MAX ? ', ...' : ''}; /v1/runs lists the runs`
  }
  if (trajectories === 0) return `0 rows: snapshot ${snapshot} has no trajectories`
  const why = [
    ...Object.entries(filtered).map(([name, n]) => `${n} do not fit ${name}`),
    ...Object.entries(leftOut).flatMap(([reason, n]) => (n === 0 ? [] : [`${n} are left out as ${reason}`])),
  ]
  return `0 rows: of ${trajectories} trajectories ${why.join(', ')}`
}
