/** `stepstore demo`: a live run from a fixed seed, through the same HTTP API as any pipeline; then what can be done with it. */
import { join } from 'node:path'
import type { Config, Overrides } from '#services/config.ts'
import { Problem } from '#services/problem.ts'
import type { Server } from '#services/serve/main.ts'
import { client, fields, textOf } from './client.ts'
import type { Command, CommandContext, ExitCode } from './command.ts'
import { progressLine } from './terminal.ts'
import { rebuildLine, untilStopped } from './running.ts'

export const demo: Command = {
  spec: {
    name: 'demo',
    summary:
      'Plays rollouts from a fixed seed into DATA_DIR/demo, shows what can be done with them, and goes on serving until Ctrl-C.',
    positionals: '',
    count: [0, 0],
    options: { exit: { description: 'leave after printing' } },
    examples: ['npm run demo', 'npm run demo -- --exit'],
  },
  run: async (context) => {
    const { args, terminal } = context
    const server = await startedServer(context)
    let code: ExitCode = 0
    try {
      await play(context, server)
      if (!args.flag('exit')) {
        terminal.err(`\n  ${terminal.paint.dim(`serving ${server.url} until Ctrl-C`)}\n`)
        code = await untilStopped(server, terminal)
      }
    } finally {
      await server.close()
    }
    return code
  },
}

/** Everything of the demo lies in a folder of its own, whatever the URLs say. */
function overridesFor(config: Config, port: string | undefined): Overrides {
  const folder = join(config.dataDir, 'demo')
  return {
    DATA_DIR: folder,
    LOG_URL: `lmdb:${join(folder, 'log')}`,
    STORE_URL: `pglite:${join(folder, 'store')}`,
    BLOBS_URL: `file:${join(folder, 'blobs')}`,
    ...(port === undefined ? {} : { PORT: port }),
  }
}

/** Starts the server; on another port where the wanted one is taken, since it is a demo. */
async function startedServer({ config, terminal, now }: CommandContext): Promise<Server> {
  const { startServer } = await import('#services/serve/main.ts')
  const start = (port?: string): Promise<Server> =>
    startServer({
      config: config(overridesFor(config(), port)),
      write: (line) => terminal.err(line),
      clock: () => new Date(now()),
      onRebuild: rebuildLine(terminal, now).show,
    })
  const progress = progressLine(terminal, now)
  progress.show('  starting')
  try {
    return await start()
  } catch (error) {
    if (!(error instanceof Problem) || error.details['port_taken'] !== true) throw error
    return await start('0')
  } finally {
    progress.end()
  }
}

async function play(context: CommandContext, server: Server): Promise<void> {
  const { terminal, json, now, config } = context
  const { bold, dim } = terminal.paint
  const { demoPlay, playRun } = await import('#services/gym/play.ts')
  const { playThrough } = await import('./demo-play.ts')
  const { demoText, readDemo } = await import('./demo-report.ts')
  const { key } = config()
  const api = client({ url: `http://${hostOf(config().host)}:${server.port}`, key })
  const before = textOf(fields(await api.get('/v1/position'))['log_end']) ?? ''
  const progress = progressLine(terminal, now)
  terminal.err(
    `${bold('Stepstore')}  ${dim('questions about bar charts, a tool that reads them, three versions of a policy')}\n\n`,
  )
  const played = await playThrough({ parts: playRun(demoPlay), client: api, key, terminal, progress })
  progress.show('  reading it back')
  const facts = await readDemo({
    client: api,
    needsKey: key !== undefined,
    run: demoPlay.run_id,
    played,
    before,
    versions: demoPlay.policy_versions,
  })
  progress.end()
  terminal.out(json ? `${JSON.stringify(facts)}\n` : demoText({ ...facts, url: server.url }, terminal.paint))
}

const hostOf = (host: string): string => (host === '0.0.0.0' ? '127.0.0.1' : host.includes(':') ? '[::1]' : host)
