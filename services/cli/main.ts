/** The command line: `stepstore <command>`. Each command is loaded when it is called, so that help comes at once. */
import { colourWanted, misuse, readConfig } from '#services/config.ts'
import { nearest } from '#services/core/nearest.ts'
import { asProblem, problemBody } from '#services/problem.ts'
import { helpText, readArguments } from './arguments.ts'
import type { Command, ExitCode } from './command.ts'
import { paint, type Terminal } from './terminal.ts'

interface Entry {
  readonly summary: string
  readonly load: () => Promise<Command>
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  demo: {
    summary: 'plays a live run, shows what can be done with it, and goes on serving',
    load: async () => (await import('./demo.ts')).demo,
  },
  serve: { summary: 'serves all programs', load: async () => (await import('./serve.ts')).serveCommand },
  import: {
    summary: 'sends rollouts from files to a server',
    load: async () => (await import('./import.ts')).importCommand,
  },
  doctor: {
    summary: 'says what is set, what is reachable and what is wrong, with the command that mends it',
    load: async () => (await import('./doctor.ts')).doctor,
  },
  explain: {
    summary: 'tells everything about one id or place in the log',
    load: async () => (await import('./explain.ts')).explain,
  },
  verify: { summary: 'compares log, store and lake', load: async () => (await import('./verify.ts')).verifyCommand },
  rebuild: {
    summary: 'makes the projection or the catalog again',
    load: async () => (await import('./rebuild.ts')).rebuild,
  },
  compact: {
    summary: 'merges small files of the lake, and sweeps what nobody needs',
    load: async () => (await import('./compact.ts')).compact,
  },
  'gym run': {
    summary: 'plays items with a policy and a set of tools, and records every step of it',
    load: async () => (await import('./gym-run.ts')).gymRun,
  },
  'gym serve': {
    summary: 'serves the gym to trainers: OpenEnv, verl-tool and batches over HTTP',
    load: async () => (await import('./gym-serve.ts')).gymServe,
  },
  'gym rescore': {
    summary: 'pays the trajectories of a run by another reward version; nothing is changed',
    load: async () => (await import('./gym-rescore.ts')).gymRescore,
  },
  'gym contact-sheet': {
    summary: 'draws items of a family into one picture, to look through',
    load: async () => (await import('./gym-contact-sheet.ts')).gymContactSheet,
  },
  quarantine: {
    summary: 'lists, shows, retries and drops what could not be read',
    load: async () => (await import('./quarantine.ts')).quarantine,
  },
}

/** The commands, or those of a group such as `gym`. */
function overview(group = ''): string {
  const entries = Object.entries(COMMANDS).filter(([name]) => group === '' || name.startsWith(`${group} `))
  const width = Math.max(...entries.map(([name]) => name.length))
  return [
    `stepstore ${group === '' ? '' : `${group} `}<command> [--help] [--json]`,
    '',
    ...entries.map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'Settings come from the environment; `stepstore doctor` lists them.',
    'Exit code: 0 good, 1 found something wrong, 2 misuse.',
    '',
  ].join('\n')
}

const isGroup = (word: string): boolean => Object.keys(COMMANDS).some((known) => known.startsWith(`${word} `))

/** The command and what follows it. Some commands are two words, such as `gym run`. */
function named(given: readonly string[]): { name: string | undefined; rest: readonly string[] } {
  const [first, second, ...rest] = given
  if (first !== undefined && isGroup(first) && second !== undefined && second !== 'help' && !second.startsWith('-'))
    return { name: `${first} ${second}`, rest }
  return { name: first, rest: given.slice(1) }
}

async function run(given: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const { name, rest } = named(given)
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    terminal.out(overview())
    return name === undefined ? 2 : 0
  }
  if (isGroup(name)) {
    terminal.out(overview(name))
    return rest.some((word) => word === '--help' || word === '-h' || word === 'help') ? 0 : 2
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (entry === undefined) {
    const near = nearest(name, Object.keys(COMMANDS))
    throw misuse(
      `unknown command ${name.slice(0, 60)}`,
      near === undefined ? 'see: stepstore --help' : `did you mean ${near}? See: stepstore --help`,
    )
  }
  const command = await entry.load()
  const args = readArguments(command.spec, rest)
  if (args.flag('help')) {
    terminal.out(helpText(command.spec))
    return 0
  }
  return await command.run({
    args,
    terminal,
    config: (overrides) => readConfig(undefined, overrides),
    json: args.flag('json'),
    stdin: process.stdin,
    now: Date.now,
  })
}

/** Says what went wrong, as words or as a problem in JSON. */
function report(thrown: unknown, terminal: Terminal, json: boolean): ExitCode {
  const problem = asProblem(thrown)
  const cause = problem.code === 'internal' && problem.cause instanceof Error ? problem.cause : undefined
  if (json) terminal.err(`${JSON.stringify(problemBody(problem))}\n`)
  else {
    terminal.err(
      `${terminal.paint.red('stepstore:')} ${cause === undefined ? problem.message : `${cause.name}: ${cause.message}`}\n`,
    )
    if (problem.hint !== undefined) terminal.err(`  ${problem.hint}\n`)
  }
  if (cause?.stack !== undefined) terminal.err(`${terminal.paint.dim(cause.stack)}\n`)
  return problem.details['misuse'] === true ? 2 : 1
}

// The launcher holds the other end of this channel. Killed with SIGKILL it can hand nothing on, but then the channel closes.
if (process.channel !== undefined) {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  process.channel.unref()
}

const given = process.argv.slice(2)
const terminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  redraws: process.stderr.isTTY === true,
  width: process.stdout.isTTY === true ? process.stdout.columns : undefined,
  paint: paint(colourWanted(process.stdout.isTTY === true && process.stderr.isTTY === true)),
}
// A reader that went away (`stepstore doctor | head`) is no fault of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})
try {
  process.exitCode = await run(given, terminal)
} catch (error) {
  process.exitCode = report(error, terminal, given.includes('--json'))
}
