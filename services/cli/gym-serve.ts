/** `stepstore gym serve`: the gym at a port of its own, for trainers; it publishes to the server at STEPSTORE_URL. */
import type { Command } from './command.ts'
import { stopSignals, untilStopped } from './running.ts'
import { misuse } from '#services/config.ts'

/** Where it listens where neither --port nor PORT says otherwise: the platform's own port is 7070. */
const PORT = '7071'

export const gymServe: Command = {
  spec: {
    name: 'gym serve',
    summary:
      'Serves the gym by itself, to OpenEnv, verl-tool and HTTP clients, until SIGTERM or Ctrl-C. What is played is sent to STEPSTORE_URL (default http://127.0.0.1:7070); while that is away it waits on disk.',
    positionals: '',
    count: [0, 0],
    options: {
      port: { value: PORT, description: `the port to listen on (default: PORT, or else ${PORT}); 0 takes a free one` },
      run: {
        value: 'my-run',
        description: 'the run of episodes that name none (default: one with the time in its name)',
      },
      episodes: { value: '1000', description: 'how many episodes may be open at once, 1 to 10000 (default 1000)' },
    },
    examples: ['stepstore gym serve', 'STEPSTORE_URL=http://store:7070 stepstore gym serve --port 7071 --run grpo-1'],
  },
  run: async ({ args, config, json, now, terminal }) => {
    const episodesMax = args.integer('episodes')
    if (episodesMax !== undefined && (episodesMax < 1 || episodesMax > 10_000))
      throw misuse(`--episodes ${episodesMax} is not possible`, 'use 1 to 10000')
    const { lines } = config({ PROGRAMS: 'gym' })
    const isSet = lines.some(({ name, source }) => name === 'PORT' && source === 'environment')
    const port = args.text('port') ?? (isSet ? undefined : PORT)
    const settings = config({ PROGRAMS: 'gym', ...(port === undefined ? {} : { PORT: port }) })
    const { startGymAlone } = await import('#services/serve/gym-alone.ts')
    const stop = stopSignals(terminal)
    const server = await startGymAlone(
      { config: settings, write: (line) => terminal.err(line), clock: () => new Date(now()) },
      { runId: args.text('run'), episodesMax },
    )
    const { bold, dim } = terminal.paint
    const about = { url: server.url, port: server.port, pid: process.pid, publishes_to: settings.url }
    terminal.out(
      json
        ? `${JSON.stringify(about)}\n`
        : `${bold('stepstore gym')} ${server.url} ${dim(`OpenEnv at ${server.url}/ws, verl-tool at ${server.url}/get_observation; publishes to ${settings.url}`)}\n`,
    )
    return await untilStopped(server, terminal, stop)
  },
}
