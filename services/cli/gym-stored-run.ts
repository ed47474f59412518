/** A run as the server has it: whether it is there, and whether a further try would go on with it. */
import { isDeepStrictEqual } from 'node:util'
import { misuse } from '#services/config.ts'
import { nearest } from '#services/core/nearest.ts'
import { runStartedEvent, type RunFacts } from '#services/gym/loop/episode-events.ts'
import { Problem } from '#services/problem.ts'
import { fields, rowsOf, textOf, type Client } from './client.ts'

type Fields = Readonly<Record<string, unknown>>

/** The run, after all that was sent of it; undefined where there is none. */
export async function storedRun(server: Client, run: string): Promise<Fields | undefined> {
  try {
    return fields(await server.get(`/v1/runs/${encodeURIComponent(run)}?after=latest&wait=60`))
  } catch (error) {
    if (error instanceof Problem && error.code === 'not_found') return undefined
    throw error
  }
}

/** What to say of a run that is not there: the nearest of the first thousand, and what else helps. */
export async function noSuchRun(server: Client, run: string, said: string, more: string): Promise<Problem> {
  const { rows } = fields(await server.get('/v1/runs?limit=1000'))
  const near = nearest(
    run,
    rowsOf(rows).flatMap((row) => textOf(row['run_id']) ?? []),
  )
  return new Problem('not_found', `${said} ${run.slice(0, 80)}`, {
    hint: near === undefined ? `${more}; the runs are at ${server.url}/v1/runs` : `did you mean ${near}? ${more}`,
  })
}

/** What of a run's config another try may not change; the rest, such as the clock, may differ from one part to another. */
const CONFIG = ['policy', 'split', 'turn_limit', 'tools'] as const

/**
 * Throws misuse where a run of this name was begun by another policy, or with other settings: what is played would be
 * mixed up with it, and a second run.started that says something else is a conflict.
 */
export async function checkGoesOn(server: Client, facts: RunFacts): Promise<void> {
  const { settings } = (await storedRun(server, facts.run_id)) ?? {}
  if (typeof settings !== 'object' || settings === null) return
  const hint = 'name another run with --run'
  const before = fields(settings)
  const config = fields(before['config'])
  const { policy } = config
  if (policy !== facts.config['policy'])
    throw misuse(`the run ${facts.run_id} was played by ${textOf(policy) ?? 'something else than gym run'}`, hint)
  const { config: _, started_at: __, ...now } = runStartedEvent(facts, 0).data as Fields
  for (const name of CONFIG) refuseOther(facts.run_id, name, config[name], facts.config[name])
  for (const [name, value] of Object.entries(now)) refuseOther(facts.run_id, name, before[name], value)

  function refuseOther(run: string, name: string, was: unknown, is: unknown): void {
    if (isDeepStrictEqual(was, is)) return
    throw misuse(`the run ${run} was begun with ${name} ${shown(was)}, and not ${shown(is)}`, hint)
  }
}

const shown = (value: unknown): string =>
  (typeof value === 'string' ? value : (JSON.stringify(value) ?? 'left out')).slice(0, 200)
