/** `stepstore serve`: all programs in one process, or those that are named, until it is told to stop. */
import { ALL_PROGRAMS, misuse } from '#services/config.ts'
import { nearest } from '#services/core/nearest.ts'
import type { Command } from './command.ts'
import { rebuildLine, stopSignals, untilStopped } from './running.ts'

export const serveCommand: Command = {
  spec: {
    name: 'serve',
    summary:
      'Serves the programs that are named, or all of them, until SIGTERM or Ctrl-C. Embedded they all run together, in the data folder.',
    positionals: `[${ALL_PROGRAMS.join('] [')}]`,
    count: [0, ALL_PROGRAMS.length],
    options: {},
    examples: [
      'stepstore serve',
      'PORT=8080 DATA_DIR=/data stepstore serve',
      'PORT=8081 stepstore serve project archive',
    ],
  },
  run: async ({ args, config, json, now, terminal }) => {
    for (const word of args.words) {
      const near = nearest(word, ALL_PROGRAMS)
      if (!(ALL_PROGRAMS as readonly string[]).includes(word)) {
        throw misuse(
          `unknown program ${word.slice(0, 40)}`,
          near === undefined ? `the programs are ${ALL_PROGRAMS.join(', ')}` : `did you mean ${near}?`,
        )
      }
    }
    const settings = config(args.words.length === 0 ? {} : { PROGRAMS: args.words.join(',') })
    const { startServer } = await import('#services/serve/main.ts')
    const rebuild = rebuildLine(terminal, now)
    const stop = stopSignals(terminal)
    const server = await startServer({
      config: settings,
      write: (line) => terminal.err(line),
      clock: () => new Date(now()),
      onRebuild: rebuild.show,
    })
    const { bold, dim } = terminal.paint
    terminal.out(
      json
        ? `${JSON.stringify({ url: server.url, port: server.port, pid: process.pid, data_dir: settings.dataDir, programs: settings.programs })}\n`
        : `${bold('stepstore')} ${server.url} ${dim(`data in ${settings.dataDir}, ${pagesOf(settings.programs, server.url)}`)}\n`,
    )
    return await untilStopped(server, terminal, stop)
  },
}

/** What there is to look at. */
const pagesOf = (programs: readonly string[], url: string): string =>
  programs.includes('query') ? `pages at ${url}/docs` : `runs ${programs.join(' and ')}, state at ${url}/readyz`
