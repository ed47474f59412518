/** `stepstore verify --numbers`: statistics of each run, compared with a recomputation from the lake's raw events. */
import { type Client, fields, numberOf, rowsOf, textOf } from './client.ts'
import { type Terminal, count } from './terminal.ts'

/** Differences that are printed as words. */
const SHOWN_MAX = 20

/** What was found of all runs. */
export interface VerifiedNumbers {
  readonly ok: boolean
  readonly runs: readonly Readonly<Record<string, unknown>>[]
  readonly differences: readonly Readonly<Record<string, unknown>>[]
}

async function runIds(client: Client): Promise<string[]> {
  const found: string[] = []
  for (let cursor = ''; ;) {
    const page = fields(await client.get(`/v1/runs?limit=1000${cursor}`))
    found.push(...rowsOf(page['rows']).map((row) => String(row['run_id'])))
    const next = textOf(page['next'])
    if (next === undefined) return found
    cursor = `&cursor=${encodeURIComponent(next)}`
  }
}

/** Asks for one run after the other, so that no answer is long in coming. */
export async function verifiedNumbers(client: Client, show: (text: string) => void): Promise<VerifiedNumbers> {
  const runs: Readonly<Record<string, unknown>>[] = []
  const differences: Readonly<Record<string, unknown>>[] = []
  const ids = await runIds(client)
  for (const [index, runId] of ids.entries()) {
    show(`  comparing the numbers of run ${index + 1} of ${ids.length}`)
    const found = fields(await client.post(`/v1/verify/numbers?wait=60&run=${encodeURIComponent(runId)}`, {}))
    runs.push(...rowsOf(found['runs']))
    differences.push(...rowsOf(found['differences']))
  }
  return { ok: differences.length === 0, runs, differences }
}

/** What was found, in words. */
export function numbersText({ ok, runs, differences }: VerifiedNumbers, { paint }: Terminal): string {
  const rows = runs.reduce((sum, run) => sum + numberOf(run['rows']), 0)
  const trajectories = runs.reduce((sum, run) => sum + numberOf(run['trajectories']), 0)
  const over = `${count(rows)} rows of statistics over ${count(trajectories)} trajectories of ${count(runs.length)} runs`
  if (ok) return `\n  ${paint.green('The numbers are the same')}, to the last bit: ${over}\n`
  const lines = differences
    .slice(0, SHOWN_MAX)
    .map(
      (found) =>
        `  ${textOf(found['run_id']) ?? ''}  ${textOf(found['statistic']) ?? ''}  ${textOf(found['at']) ?? ''}\n`,
    )
  return `\n  ${paint.red('Numbers differ')} in ${over}\n${lines.join('')}`
}
