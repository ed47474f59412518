/** `stepstore rebuild`: the store's rows again from the log, or the lake's catalog again from its records in blobs. */
import { misuse, type Config } from '#services/config.ts'
import { nearest } from '#services/core/nearest.ts'
import { Problem } from '#services/problem.ts'
import type { ServeOptions } from '#services/serve/main.ts'
import type { RebuiltBeside } from '#services/serve/rebuild-beside.ts'
import { client } from './client.ts'
import type { Command, CommandContext, ExitCode } from './command.ts'
import { rebuildLine } from './running.ts'
import { count, table, type Terminal } from './terminal.ts'

const WHAT = ['projection', 'catalog'] as const

export const rebuild: Command = {
  spec: {
    name: 'rebuild',
    summary:
      'Makes the rows of the store again from the log (and from the lake what the log no longer holds), or the catalog of the lake from its records in blobs. Rows in a Postgres that several processes share are made beside those that are served, compared, and swapped in one transaction, while everything runs; Ctrl-C stops that, and the next one goes on. Of a PGlite, the server must not run.',
    positionals: 'projection | catalog',
    count: [1, 1],
    options: {
      compare: { description: 'make the rows of a Postgres again and only compare: exit code 1 where they differ' },
      rollback: { description: 'put back the rows of a Postgres that the last rebuild replaced' },
    },
    examples: ['stepstore rebuild projection', 'stepstore rebuild projection --compare', 'stepstore rebuild catalog'],
  },
  run: async (context) => {
    const { args, config, terminal, now, json } = context
    const what = whatOf(args.words[0] ?? '')
    const settings = config()
    const special = args.flag('compare') ? 'compare' : args.flag('rollback') ? 'roll back' : undefined
    if (args.flag('compare') && args.flag('rollback'))
      throw misuse('--compare and --rollback at once', 'use one of them')
    if (special !== undefined && (what === 'catalog' || settings.store.kind !== 'postgres'))
      throw misuse(
        `--${special === 'compare' ? 'compare' : 'rollback'} is for the projection in a Postgres`,
        'leave it out',
      )
    await refuseWhileServed(what, settings)
    const line = rebuildLine(terminal, now)
    const options: ServeOptions = {
      config: settings,
      write: (text) => terminal.err(text),
      clock: () => new Date(now()),
      onRebuild: line.show,
    }
    if (what === 'projection' && settings.store.kind === 'postgres')
      return online(context, options, special ?? 'rebuild')
    const { rebuildOffline } = await import('#services/serve/rebuild.ts')
    const result = await rebuildOffline(what, options)
    if (json) terminal.out(`${JSON.stringify({ rebuilt: what, ...result })}\n`)
    else
      terminal.out(
        `  ${terminal.paint.green(`rebuilt the ${what}`)}: ${count(result.records)} records folded, ${count(result.snapshots)} snapshots in the catalog\n`,
      )
    return 0
  },
}

function whatOf(word: string): (typeof WHAT)[number] {
  // `project` is the name that the projection's cursors bear.
  const what = WHAT.find((known) => known === (word === 'project' ? 'projection' : word))
  if (what !== undefined) return what
  const near = nearest(word, WHAT)
  throw misuse(
    `rebuild does not know ${word.slice(0, 40)}`,
    near === undefined ? `it knows ${WHAT.join(' and ')}` : `did you mean ${near}?`,
  )
}

async function refuseWhileServed(what: (typeof WHAT)[number], settings: Config): Promise<void> {
  if (what === 'projection' && settings.shared) return
  if (!(await client({ url: settings.url, key: settings.key }).isThere())) return
  throw new Problem('conflict', `a server runs at ${settings.url}, and it owns the store`, {
    hint: 'stop it, run this again, then start it',
  })
}

/** Rebuilds beside what is served; Ctrl-C stops it at a batch. */
async function online(
  { terminal, json }: CommandContext,
  options: ServeOptions,
  what: 'rebuild' | 'compare' | 'roll back',
): Promise<ExitCode> {
  const { rebuildOnline } = await import('#services/serve/rebuild.ts')
  const stop = new AbortController()
  const onSignal = (): void => stop.abort()
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  try {
    const result = await rebuildOnline({ ...options, what, signal: stop.signal })
    if (result === undefined) {
      terminal.out(
        json
          ? `${JSON.stringify({ rolled_back: true })}\n`
          : '  the rows of before the last rebuild are served again\n',
      )
      return 0
    }
    const differing = result.tables.filter(({ differs }) => differs)
    if (json) terminal.out(`${JSON.stringify({ rebuilt: 'projection', ...result })}\n`)
    else terminal.out(said(result, terminal))
    return what === 'compare' && differing.length > 0 ? 1 : 0
  } catch (error) {
    if (!stop.signal.aborted) throw error
    throw new Problem('unavailable', 'stopped: what is served is as it was', {
      hint: 'run it again: it goes on where it was',
    })
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

function said({ records, resumed_at: resumedAt, tables, swapped }: RebuiltBeside, { paint }: Terminal): string {
  const rows = tables
    .filter(({ differs }) => differs)
    .map((compared) => [compared.table, count(compared.rows_before), count(compared.rows)])
  const from = resumedAt > 0 ? ` (${count(resumedAt)} of them by an earlier run)` : ''
  const found =
    rows.length === 0
      ? '  every table is as it was\n'
      : `  tables that differ:\n${table([{ head: 'table' }, { head: 'rows before' }, { head: 'rows now' }], rows, paint)}`
  const end = swapped
    ? `  ${paint.green('swapped')}; stepstore rebuild projection --rollback puts the rows of before back\n`
    : '  nothing was swapped\n'
  return `  ${count(records)} records folded${from}\n${found}${end}`
}
