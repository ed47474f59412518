/** `stepstore gym run`: plays items with a policy and tools; every step is an event of a running server. */
import { misuse } from '#services/config.ts'
import { openGym } from '#services/gym/loop/episodes.ts'
import { endedEvents, startedEvents } from '#services/gym/run/run-events.ts'
import { playedRun, type PlayedRollout, type RunTally } from '#services/gym/run/run.ts'
import type { Client } from './client.ts'
import type { Command, CommandContext } from './command.ts'
import { runMetrics } from './gym-metrics.ts'
import { logEnd, runSpool, servedClient } from './gym-world.ts'
import { readRunOrder, RUN_OPTIONS, type RunOrder } from './gym-order.ts'
import { sourceOf } from './gym-policies.ts'
import { checkGoesOn } from './gym-stored-run.ts'
import { readSummary, summaryText } from './gym-summary.ts'
import { stopSignals } from './running.ts'
import { bar, count, decimal, fitted, progressLine, type ProgressLine } from './terminal.ts'

const BAR_CELLS = 24

export const gymRun: Command = {
  spec: {
    name: 'gym run',
    summary:
      'Plays generated items with a policy and tools that compute from pixels, and records every step in a running server. Broken off, the same command plays what is missing.',
    positionals: '',
    count: [0, 0],
    options: RUN_OPTIONS,
    examples: [
      'stepstore gym run --policy expert --families all --items 70 --run expert-1',
      'stepstore gym run --policy noisy --rates E1=0.1,E2=0.1,E6=0.2 --families chart,document --items 20 --group-size 8',
      'stepstore gym run --policy openai:http://127.0.0.1:8000/v1 --model InternVL3-8B --split test --items 100',
      'stepstore gym run --policy replay --from expert-1 --run expert-1-again',
    ],
  },
  run: async (context) => {
    const order = readRunOrder(context)
    const server = await servedClient(context)
    const progress = progressLine(context.terminal, context.now)
    const stop = stopSignals(context.terminal)
    stop.begun()
    const { spool, close } = await runSpool(context, order.run_id, (line) => progress.keep(line))
    let done = false
    try {
      // What an earlier try could not send goes first; only then is known what is there.
      await spool.flush()
      await play(context, order, server, spool, progress, stop.asked)
      await spool.flush()
      const nowMs = order.clock(context.now).now()
      await spool.add([...(await runMetrics(server, order, nowMs)), ...endedEvents(order.run_id, nowMs)])
      await spool.flush()
      done = true
    } finally {
      await close(done)
      progress.end()
      stop.end()
    }
    const summary = await readSummary(server, order, await logEnd(server))
    context.terminal.out(
      context.json ? `${JSON.stringify(summary)}\n` : summaryText(summary, server.url, context.terminal.paint),
    )
    return 0
  },
}

/** What a run that is told to stop says, once. */
export function stoppingLine(open: number): string {
  const first =
    open === 0
      ? 'what was played is sent first'
      : `${count(open)} ${open === 1 ? 'episode in flight ends' : 'episodes in flight end'} first`
  return `  stopping: ${first}; again to stop at once`
}

/** What was there before this try: of its plan, and of other items, which the numbers of the run count too. */
export function thereLine({ known, played }: RunTally, ended: number): string | undefined {
  if (ended === 0) return undefined
  const there = `  ${count(known)} rollouts were there already`
  return ended === known
    ? there
    : `${there}; the run holds ${count(ended + played)}, of these and other items, and what follows is about all of them`
}

type Spooled = Awaited<ReturnType<typeof runSpool>>['spool']

async function play(
  context: CommandContext,
  order: RunOrder,
  server: Client,
  spool: Spooled,
  progress: ProgressLine,
  asked: Promise<unknown>,
): Promise<void> {
  const { gym, tools } = await openedGym(context, order, spool)
  const now = (): number => order.clock(context.now).now()
  const abort = new AbortController()
  void asked.then(() => {
    progress.keep(stoppingLine(gym.counts().episodes_open))
    abort.abort(misuse('stopped', 'run the same again to play what is missing'))
  })
  try {
    await checkGoesOn(server, { ...order.facts(tools), config: order.config })
    const around = { server, gym, tools, chance: Math.random, nowMs: now() }
    const { source, unended, ended, ...rollouts } = await sourceOf(order, around)
    const facts = { ...order.facts(tools), config: { ...order.config, actor_model: source.actor_model } }
    await spool.add([...startedEvents(facts, order.policy_version, now()), ...unended])
    const shown = shownProgress(progress)
    const tally = await playedRun({
      ...order,
      ...rollouts,
      gym,
      source,
      seed: order.stream.seed,
      onRollout: (rollout, state) => {
        const { kind, request } = rollout.planned.chosen
        order.difficulty?.answered(kind, request.level, rollout.result.score?.answer_match === true)
        shown(rollout, state)
      },
      signal: abort.signal,
    })
    const line = thereLine(tally, ended)
    if (line !== undefined) progress.keep(line)
  } finally {
    await gym.close()
    await tools.close()
  }
}

/** The tools of the registry, those with an address included, and a gym over them that records into the spool. */
async function openedGym(context: CommandContext, order: RunOrder, recorder: Spooled) {
  const { openTools } = await import('#services/gym/tools/open.ts')
  const { definitions } = await import('#services/gym/tools/registry.ts')
  const { remoteTools } = await import('#services/gym/tools/remote/remote.ts')
  const { kinds } = await import('#services/gym/items/families.ts')
  const { faultyOutput } = await import('#services/gym/policies/faulty-output.ts')
  const tools = openTools({ ...remoteTools(context.config().gymTools, definitions), threads: order.threads })
  const gym = openGym({
    kinds,
    tools,
    recorder,
    clock: order.clock(context.now),
    run_id: order.run_id,
    newId: () => crypto.randomUUID(),
    logger: () => {},
    announces_runs: false,
    episodes_max: order.concurrency,
    faultyOutput: (call) => faultyOutput(call, tools.definitions),
  })
  return { gym, tools }
}

function shownProgress(progress: ProgressLine) {
  let right = 0
  let played = 0
  let reward = 0
  return ({ question, result }: PlayedRollout, { done, total }: { done: number; total: number }): void => {
    played++
    if (result.score?.answer_match === true) right++
    reward += result.reward ?? 0
    progress.show(
      `  playing  ${bar(done / total, BAR_CELLS)}  ${count(done)} of ${count(total)}  right ${decimal((right / played) * 100, 0)} %  reward ${decimal(reward / played, 2)}  ${fitted(question, 60)}`,
    )
  }
}
