/** `stepstore serve`: all programs in one process, until it is told to stop. */
import { misuse, PROGRAMS } from '#services/config.ts'
import { nearest } from '#services/core/nearest.ts'
import type { Command } from './command.ts'
import { rebuildLine, untilStopped } from './running.ts'

export const serveCommand: Command = {
  spec: {
    name: 'serve',
    summary: 'Serves all programs, embedded in the data folder, until SIGTERM or Ctrl-C.',
    positionals: '[program…]',
    count: [0, PROGRAMS.length],
    options: {},
    examples: ['stepstore serve', 'PORT=8080 DATA_DIR=/data stepstore serve'],
  },
  run: async ({ args, config, json, now, terminal }) => {
    for (const word of args.words) {
      const near = nearest(word, PROGRAMS)
      if (!(PROGRAMS as readonly string[]).includes(word)) {
        throw misuse(
          `unknown program ${word.slice(0, 40)}`,
          near === undefined ? `the programs are ${PROGRAMS.join(', ')}` : `did you mean ${near}?`,
        )
      }
    }
    const settings = config(args.words.length === 0 ? {} : { PROGRAMS: args.words.join(',') })
    const { startServer } = await import('#services/serve/main.ts')
    const rebuild = rebuildLine(terminal, now)
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
        : `${bold('stepstore')} ${server.url} ${dim(`data in ${settings.dataDir}, pages at ${server.url}/docs`)}\n`,
    )
    return await untilStopped(server, terminal)
  },
}
