/** `stepstore compact`: merges small files of the lake and sweeps what nobody needs any more, once and now. */
import { jsonLogger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import { client } from './client.ts'
import type { Command } from './command.ts'
import { count, progressLine, size, table } from './terminal.ts'

export const compact: Command = {
  spec: {
    name: 'compact',
    summary:
      'Merges small files of the lake into large ones and removes what no snapshot that is kept needs. A server does it by itself, in its own time; this does it now. No snapshot changes, and no row.',
    positionals: '',
    count: [0, 0],
    options: {
      all: { description: 'merge whatever can be merged, however new and few the files are' },
      'dry-run': { description: 'only say what would be merged' },
    },
    examples: ['stepstore compact --dry-run', 'stepstore compact', 'stepstore compact --all'],
  },
  run: async ({ args, config, terminal, now, json }) => {
    const settings = config()
    if (settings.store.kind === 'pglite' && (await client({ url: settings.url, key: settings.key }).isThere())) {
      throw new Problem(
        'conflict',
        `a server runs at ${settings.url}, and its store is a folder that only it can open`,
        {
          hint: 'it merges by itself, in its own time; to do it now, stop it, run this again, then start it',
        },
      )
    }
    const { compactOnce } = await import('#services/serve/compact.ts')
    const line = progressLine(terminal, now)
    const stop = new AbortController()
    const onSignal = (): void => stop.abort()
    process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
    const isDry = args.flag('dry-run')
    const done = await compactOnce({
      config: settings,
      logger: jsonLogger({
        program: 'compact',
        level: settings.logLevel,
        write: (text) => terminal.err(text),
        now: () => new Date(now()),
      }),
      clock: () => new Date(now()),
      signal: stop.signal,
      everything: args.flag('all'),
      isDry,
      onMerged: ({ table: name, dt, files }) => {
        if (!json) line.show(`merged ${count(files)} files of ${name} of ${dt}`)
      },
    })
      .catch((error: unknown) => {
        if (!stop.signal.aborted) throw error
        throw new Problem('unavailable', 'stopped', {
          hint: 'the merges that were done stay; run it again for the rest',
        })
      })
      .finally(() => {
        process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
        line.end()
      })
    if (json) {
      terminal.out(`${JSON.stringify({ dry_run: isDry, ...done })}\n`)
      return 0
    }
    const rows = done.merged.map((merged) => [
      merged.table,
      merged.dt,
      count(merged.files),
      size(merged.bytes_before),
      isDry ? '' : merged.snapshot_id === null ? 'changed meanwhile' : size(merged.bytes_after),
    ])
    const heads = ['table', 'day', 'files', 'before', isDry ? '' : 'after'].map((head) => ({ head }))
    if (rows.length > 0) terminal.out(table(heads, rows, terminal.paint))
    const { swept } = done
    const gone =
      swept === null
        ? ''
        : `; ${count(swept.snapshots)} snapshots forgotten, ${count(swept.files + swept.orphans)} objects removed, ${count(swept.waiting)} orphans wait for their time`
    terminal.out(
      `  ${rows.length === 0 ? 'nothing to merge' : isDry ? `${count(rows.length)} merges to do` : `${count(rows.length)} merges done`}${gone}\n  the newest snapshot has ${count(done.files)} files, ${size(done.bytes)}\n`,
    )
    return 0
  },
}
