/** `stepstore gym rescore`: pays the trajectories of a run by another reward version, as further events. */
import { misuse } from '#services/config.ts'
import { rewardVersionNamed, rewardVersions } from '#services/gym/loop/reward-versions.ts'
import { rescored, type StoredScore } from '#services/gym/run/rescore.ts'
import { fields, textOf, type Client } from './client.ts'
import type { Command } from './command.ts'
import { allRows, logEnd, runSpool, servedClient } from './gym-world.ts'
import { noSuchRun, storedRun } from './gym-stored-run.ts'
import { count, decimal, progressLine } from './terminal.ts'

export const gymRescore: Command = {
  spec: {
    name: 'gym rescore',
    summary:
      'Pays the finished trajectories of a run by another reward version, worked out of their stored parts, as events of their own. Nothing that is there changes.',
    positionals: '',
    count: [0, 0],
    options: {
      run: { value: 'R', description: 'the run' },
      'reward-version': { value: 'V', description: rewardVersions.map(({ name }) => name).join(', ') },
    },
    examples: ['stepstore gym rescore --run expert-1 --reward-version vista-1-dense'],
  },
  run: async (context) => {
    const { args, terminal, json, now } = context
    const run = args.text('run')
    const name = args.text('reward-version')
    if (run === undefined || name === undefined)
      throw misuse('gym rescore needs --run and --reward-version', 'see: stepstore gym rescore --help')
    const version = rewardVersionNamed(name)
    const server = await servedClient(context)
    if ((await storedRun(server, run)) === undefined)
      throw await noSuchRun(server, run, 'there is no run', '--run takes the id of a run')
    const progress = progressLine(terminal, now)
    const { spool, close } = await runSpool(context, run, (line) => progress.keep(line))
    let done = false
    let scored = 0
    let sum = 0
    let left = 0
    try {
      await spool.flush()
      const stored = await storedScores(server, run)
      const { events, unscored } = rescored(stored, version, now())
      left = unscored
      for (const event of events) {
        await spool.add([event])
        scored++
        sum += Number(event.data.reward)
      }
      await spool.flush()
      done = true
    } finally {
      await close(done)
      progress.end()
    }
    const position = await logEnd(server)
    const mean_reward = scored === 0 ? null : sum / scored
    if (json)
      terminal.out(
        `${JSON.stringify({ run, reward_version: version.name, trajectories: scored, left_out: left, mean_reward, position })}\n`,
      )
    else
      terminal.out(
        `  ${count(scored)} trajectories of ${run} are paid by ${version.name} (${version.formula}); mean ${decimal(mean_reward)}; ${count(left)} left out\n`,
      )
    return 0
  },
}

/** The score of every finished trajectory, as it was paid by the run's own reward version. */
async function storedScores(server: Client, run: string): Promise<StoredScore[]> {
  const found: StoredScore[] = []
  for await (const row of allRows(server, '/v1/trajectories', { run, after: 'latest', wait: '60' })) {
    const status = textOf(row['status'])
    if (status !== 'completed' && status !== 'truncated') continue
    const parts = fields(row['parts'])
    const flag = (name: string): boolean | null => (typeof row[name] === 'boolean' ? row[name] : null)
    found.push({
      trajectory_id: textOf(row['trajectory_id']) ?? '',
      run_id: run,
      group_id: textOf(row['group_id']) ?? null,
      parts: { rep: number(parts['rep']), format: number(parts['format']), correct: number(parts['correct']) },
      answer_match: flag('answer_match'),
      format_ok: flag('format_ok'),
    })
  }
  return found
}

const number = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null)
