/** What was worked out of a selection, kept for whoever asks next while its frame stays as it was. */
import type { Selection } from './select.ts'

const kept = new WeakMap<Selection, { version: number; readonly values: Map<string, unknown> }>()

/** Things that are kept of one selection; the oldest goes first. */
const KEPT_MAX = 16

/** What `compute` gives for a selection: worked out once for each `name`. Nobody may change it. */
export function derived<Value>(selection: Selection, name: string, compute: () => Value): Value {
  const { version } = selection.frame
  let held = kept.get(selection)
  if (held === undefined || held.version !== version)
    kept.set(selection, (held = { version, values: new Map<string, unknown>() }))
  if (held.values.has(name)) return held.values.get(name) as Value
  const value = compute()
  held.values.set(name, value)
  const [oldest] = held.values.keys()
  if (held.values.size > KEPT_MAX && oldest !== undefined) held.values.delete(oldest)
  return value
}
