/** How right each local tool is by itself, against the scenes that its pictures were drawn from. */
import { measureCharts } from './gym-tools/charts.ts'
import { measureDiagrams, measureMaths } from './gym-tools/diagrams.ts'
import { measureGeometry } from './gym-tools/geometry.ts'
import { measureText } from './gym-tools/text.ts'
import { measureThings } from './gym-tools/things.ts'
import type { Bench, Measured, Share } from './gym-tools/tally.ts'
import type { Style } from '#services/gym/items/item.ts'
import type { Tools } from '#services/gym/tools/tools.ts'

export type ToolAccuracy = Measured & { readonly by: Readonly<Record<Style, Share>> }

type Kept = Measured & { readonly by: Record<Style, { right: number; of: number }> }

/** `pictures` of each family or form and style. Throws where a tool that runs here was not measured at all. */
export async function toolAccuracies(
  tools: Tools,
  { pictures, seed }: { readonly pictures: number; readonly seed: number },
): Promise<ToolAccuracy[]> {
  const rows = new Map<string, Kept>()
  for (const style of ['ordinary', 'unseen'] as const) {
    const count: Bench['count'] = (row, isRight) => {
      const key = [row.tool, row.family, row.what].join('|')
      const kept = rows.get(key) ?? { ...row, by: { ordinary: { right: 0, of: 0 }, unseen: { right: 0, of: 0 } } }
      kept.by[style].of++
      if (isRight) kept.by[style].right++
      rows.set(key, kept)
    }
    const bench: Bench = { tools, style, pictures, seed, count }
    await measureText(bench)
    await measureThings(bench)
    await measureCharts(bench)
    await measureGeometry(bench)
    await measureDiagrams(bench)
    if (style === 'ordinary') await measureMaths(bench)
  }
  const measured = new Set([...rows.values()].map(({ tool }) => tool))
  const missing = tools.definitions.filter(({ name, runs }) => runs === 'local' && !measured.has(name))
  // sam and sam2 are one piece of code under two names.
  const unmeasured = missing.map(({ name }) => name).filter((name) => name !== 'sam2')
  if (unmeasured.length > 0) throw new RangeError(`nothing was measured of ${unmeasured.join(', ')}`)
  return [...rows.values()]
}
