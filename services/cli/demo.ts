/** `stepstore demo`: a live run from a fixed seed, through the same HTTP API as any pipeline; then what can be done with it. */
import { Problem } from '#services/problem.ts'
import type { Server } from '#services/serve/main.ts'
import type { DemoOptions, PlayedPart } from '#services/gym/run/demo.ts'
import { client, fields, textOf } from './client.ts'
import type { Command, CommandContext, ExitCode } from './command.ts'
import { demoSettings } from './demo-folder.ts'
import { progressLine, type Terminal } from './terminal.ts'
import { drain, rebuildLine, stopSignals, untilStopped } from './running.ts'

/** Where a server listens unless PORT says otherwise. */
const DEFAULT_PORT = 7070
/** How many parts of the play may wait for the server. */
const PARTS_AHEAD = 6

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
    const { args, terminal, json } = context
    const stop = stopSignals(terminal)
    const { demoPlay, playRun } = await import('#services/gym/run/demo.ts')
    const { madeAhead } = await import('./demo-play.ts')
    const parts = playRun(demoPlay)
    // The first groups are played while the server starts.
    const ahead = madeAhead(parts, PARTS_AHEAD)
    const server = await startedServer(context).catch(async (error: unknown) => {
      await parts.return(undefined)
      throw error
    })
    stop.begun()
    let code: ExitCode = 0
    try {
      const played = play(context, server, demoPlay, ahead)
      await Promise.race([played, stop.asked])
      if (stop.isAsked()) {
        played.catch(() => {})
        await drain(server, terminal, stop.leftMs())
        // The play would go on for minutes to look for its server.
        process.exit(0)
      }
      if (args.flag('exit')) {
        if (!json) terminal.out(`\n${serveAgain(server, terminal)}`)
      } else {
        terminal.err(`\n  ${terminal.paint.dim(`serving ${server.url} until Ctrl-C`)}\n`)
        code = await untilStopped(server, terminal, stop)
      }
    } finally {
      await parts.return(undefined)
      await server.close()
      stop.end()
    }
    return code
  },
}

/** The URLs that were printed are of a server that is about to end. */
function serveAgain(server: Server, { paint }: Terminal): string {
  const port = server.port === DEFAULT_PORT ? '' : `PORT=${server.port} `
  return `  The server has ended; to have these URLs answer, serve it again (nothing is added):\n  ${paint.bold(`${port}npm run demo`)}\n`
}

/** Starts the server; on another port where the wanted one is taken, since it is a demo. */
async function startedServer({ config, terminal, now }: CommandContext): Promise<Server> {
  const { startServer } = await import('#services/serve/main.ts')
  const start = (port?: string): Promise<Server> =>
    startServer({
      config: config({ ...demoSettings(config()), ...(port === undefined ? {} : { PORT: port }) }),
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

async function play(
  context: CommandContext,
  server: Server,
  order: DemoOptions,
  parts: AsyncIterable<PlayedPart>,
): Promise<void> {
  const { terminal, json, now, config } = context
  const { bold, dim } = terminal.paint
  const { playThrough } = await import('./demo-play.ts')
  const { demoText, readDemo } = await import('./demo-report.ts')
  const { key } = config()
  const api = client({ url: `http://${hostOf(config().host)}:${server.port}`, key })
  const before = textOf(fields(await api.get('/v1/position'))['log_end']) ?? ''
  const progress = progressLine(terminal, now)
  terminal.err(
    `${bold('Stepstore')}  ${dim('questions about pictures of seven families, tools that read them, three versions of a policy')}\n\n`,
  )
  const played = await playThrough({ parts, client: api, key, terminal, progress })
  progress.show('  reading it back')
  const facts = await readDemo({
    client: api,
    needsKey: key !== undefined,
    run: order.run_id,
    played,
    before,
    versions: order.policy_versions,
  })
  progress.end()
  terminal.out(json ? `${JSON.stringify(facts)}\n` : demoText({ ...facts, url: server.url }, terminal.paint))
}

const hostOf = (host: string): string => (host === '0.0.0.0' ? '127.0.0.1' : host.includes(':') ? '[::1]' : host)
