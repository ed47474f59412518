/** The commands infra/local/up, down and kill. */
import { parseArgs } from 'node:util'
import { hasMinio } from './s3.ts'
import { findStack, layOut, type Part, PARTS, removeStack, settingsOf, start, stop } from './stack.ts'

const HELP = `infra/local/up   [part [broker]] [--brokers 1|3] [--postgres 18] [--name local] [--cache folder] [--json]
infra/local/down [part [broker]] [--name local]
infra/local/kill part [broker]   [--name local]

up    starts Kafka, Postgres and an S3 server (MinIO) on free ports of 127.0.0.1, with topic, database and
      bucket, and prints how to reach them: eval "$(infra/local/up)". What runs already is left alone.
down  stops them and removes everything they held; with a part, stops that part and keeps what it holds.
kill  ends a part as a crash would; \`up\` starts it again.

Parts: ${PARTS.join(', ')}. The first \`up\` downloads Kafka (Maven, Java 17) and compiles MinIO (Go 1.24, some minutes);
both stay in the cache folder. --brokers 3 keeps each record three times, at least two before it is acknowledged.
--postgres takes any version that is installed; 18 comes with npm.
`

interface Arguments {
  readonly part: Part | undefined
  readonly node: number | undefined
  readonly name: string | undefined
  readonly cache: string | undefined
  readonly brokers: number | undefined
  readonly postgres: string | undefined
  readonly json: boolean
}

class Misuse extends Error {}

function partOf(text: string | undefined): Part | undefined {
  if (text === undefined) return undefined
  const part = PARTS.find((known) => known === text)
  if (part === undefined) throw new Misuse(`unknown part ${text}; the parts are ${PARTS.join(', ')}`)
  return part
}

function argumentsOf(argv: readonly string[]): Arguments | 'help' {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      brokers: { type: 'string' },
      postgres: { type: 'string' },
      name: { type: 'string' },
      cache: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help === true) return 'help'
  const [part, node, ...rest] = positionals
  if (rest.length > 0) throw new Misuse(`what is ${rest.join(' ')}?`)
  if (node !== undefined && (part !== 'kafka' || !/^[1-9]$/.test(node)))
    throw new Misuse('only kafka has numbered parts: its brokers, from 1')
  if (values.brokers !== undefined && values.brokers !== '1' && values.brokers !== '3')
    throw new Misuse('--brokers takes 1 or 3')
  return {
    part: partOf(part),
    node: node === undefined ? undefined : Number(node),
    name: values.name,
    cache: values.cache,
    brokers: values.brokers === undefined ? undefined : Number(values.brokers),
    postgres: values.postgres,
    json: values.json === true,
  }
}

const say = (text: string): void => void process.stderr.write(`${text}\n`)

async function up(given: Arguments): Promise<void> {
  const stack = await layOut(given)
  const parts = given.part === undefined ? PARTS : [given.part]
  if (parts.includes('s3') && !hasMinio(stack.s3)) say('s3: MinIO is compiled first, which takes some minutes, once')
  await Promise.all(
    parts.map(async (part) => {
      const from = performance.now()
      await start(stack, part, given.node)
      say(
        `${part}${given.node === undefined ? '' : ` ${given.node}`}: ready after ${((performance.now() - from) / 1000).toFixed(1)} s`,
      )
    }),
  )
  const settings = settingsOf(stack)
  const lines = Object.entries(settings).map(([name, value]) => `export ${name}='${value}'\n`)
  process.stdout.write(given.json ? `${JSON.stringify(settings)}\n` : lines.join(''))
}

async function down({ name, part, node }: Arguments): Promise<void> {
  const stack = findStack(name)
  if (stack === undefined) return say('there is no such stack')
  if (part === undefined) await removeStack(stack)
  else await stop(stack, part, 'SIGTERM', node)
}

async function kill({ name, part, node }: Arguments): Promise<void> {
  if (part === undefined) throw new Misuse('which part?')
  const stack = findStack(name)
  if (stack === undefined) throw new Misuse('there is no such stack; start one with infra/local/up')
  await stop(stack, part, 'SIGKILL', node)
}

const COMMANDS: Readonly<Record<string, (given: Arguments) => Promise<void>>> = { up, down, kill }

try {
  const given = argumentsOf(process.argv.slice(3))
  const command = COMMANDS[process.argv[2] ?? '']
  if (given === 'help' || command === undefined) process.stdout.write(HELP)
  else await command(given)
} catch (error) {
  const isMisuse = error instanceof Misuse || (error instanceof TypeError && 'code' in error)
  say(
    `infra/local/${process.argv[2]}: ${error instanceof Error ? error.message : String(error)}${isMisuse ? '\nRun it with --help for what it takes.' : ''}`,
  )
  process.exitCode = isMisuse ? 2 : 1
}
