/** What a run of the gym came to, in the numbers of the API. */
import { fields, numberOf, rowsOf, textOf, type Client } from './client.ts'
import { allRows } from './gym-world.ts'
import { count, decimal, table, type Paint } from './terminal.ts'

/** Over the finished and scored trajectories of one policy version. */
export type Numbers = {
  readonly trajectories: number
  /** Null for none. */
  readonly accuracy: number | null
  readonly mean_reward: number | null
}

export type Summary = Numbers & {
  readonly run: string
  readonly policy_version: number
  readonly items: number
  readonly by_family: Readonly<Record<string, Numbers>>
  readonly position: string
}

export type Summarised = {
  readonly run_id: string
  readonly policy_version: number
}

/** Reads the summary at a position. The numbers are those of /v1/analytics/rewards, and so equal to what anybody else reads. */
export async function readSummary(
  server: Client,
  { run_id, policy_version }: Summarised,
  position: string,
): Promise<Summary> {
  const numbers = async (family?: string): Promise<Numbers> => {
    const query = new URLSearchParams({
      run: run_id,
      policy_version: String(policy_version),
      after: position,
      wait: '60',
    })
    if (family !== undefined) query.set('family', family)
    return numbersOf(rowsOf(fields(await server.get(`/v1/analytics/rewards?${query.toString()}`))['rows']))
  }
  const items = new Set<string>()
  for await (const row of allRows(server, '/v1/trajectories', {
    run: run_id,
    policy_version: String(policy_version),
    after: position,
  }))
    items.add(textOf(row['item_id']) ?? '')
  // The items of the gym bear their family in their names.
  const families = [...new Set([...items].map((id) => id.split('/')[0] ?? ''))].toSorted()
  const by_family: Record<string, Numbers> = {}
  for (const family of families) by_family[family] = await numbers(family)
  return {
    run: run_id,
    policy_version,
    items: items.size,
    ...(await numbers()),
    by_family,
    position,
  }
}

function numbersOf(rows: readonly Readonly<Record<string, unknown>>[]): Numbers {
  const sum = (of: (row: Readonly<Record<string, unknown>>) => number): number =>
    rows.reduce((total, row) => total + of(row), 0)
  const trajectories = sum((row) => numberOf(row['n']))
  const finite = sum((row) => numberOf(row['n']) - numberOf(row['n_nonfinite']))
  const reward = sum((row) => numberOf(row['reward_mean']) * (numberOf(row['n']) - numberOf(row['n_nonfinite'])))
  return {
    trajectories,
    accuracy: trajectories === 0 ? null : sum((row) => numberOf(row['n_correct'])) / trajectories,
    mean_reward: finite === 0 ? null : reward / finite,
  }
}

/** The summary as a table, and where to read on. */
export function summaryText(summary: Summary, url: string, paint: Paint): string {
  const row = (name: string, { trajectories, accuracy, mean_reward }: Numbers): string[] => [
    name,
    count(trajectories),
    accuracy === null ? '-' : `${decimal(accuracy * 100, 1)} %`,
    decimal(mean_reward),
  ]
  const rows = [
    ...Object.entries(summary.by_family).map(([family, numbers]) => row(family, numbers)),
    row(paint.bold('all'), summary),
  ]
  const columns = [
    { head: 'family' },
    { head: 'rollouts', right: true },
    { head: 'right', right: true },
    { head: 'mean reward', right: true },
  ]
  return `${table(columns, rows, paint)}\n  ${paint.bold('run')}  ${paint.blue(`${url}/v1/runs/${encodeURIComponent(summary.run)}`)}\n`
}
