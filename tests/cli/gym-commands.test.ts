/** What the commands of the gym refuse, and what they say of it, against a server that is made up. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, expect, it } from 'vitest'
import { readArguments } from '#services/cli/arguments.ts'
import { client, type Client } from '#services/cli/client.ts'
import type { Command, CommandContext } from '#services/cli/command.ts'
import { gymContactSheet } from '#services/cli/gym-contact-sheet.ts'
import { readRunOrder, type RunOrder } from '#services/cli/gym-order.ts'
import { sourceOf, type Around } from '#services/cli/gym-policies.ts'
import { gymRescore } from '#services/cli/gym-rescore.ts'
import { gymRun, stoppingLine, thereLine } from '#services/cli/gym-run.ts'
import { checkGoesOn } from '#services/cli/gym-stored-run.ts'
import { runSpool } from '#services/cli/gym-world.ts'
import { paint } from '#services/cli/terminal.ts'
import { readConfig } from '#services/config.ts'
import { runStartedEvent } from '#services/gym/loop/episode-events.ts'
import type { Tools } from '#services/gym/tools/tools.ts'

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

async function contextOf({ spec }: Command, words: readonly string[], port = 9): Promise<CommandContext> {
  const folder = await mkdtemp(join(tmpdir(), 'stepstore-gym-commands-'))
  folders.push(folder)
  return {
    args: readArguments(spec, words),
    terminal: { out: () => {}, err: () => {}, redraws: false, width: undefined, paint: paint(false) },
    config: () => readConfig({ DATA_DIR: folder, STEPSTORE_URL: `http://127.0.0.1:${port}` }),
    json: false,
    stdin: process.stdin,
    now: () => 0,
  }
}

const ordered = async (...words: string[]): Promise<RunOrder> => readRunOrder(await contextOf(gymRun, words))

const tools: Pick<Tools, 'schemas'> = { schemas: [{ type: 'function', function: { name: 'EasyOCR' } }] }
const factsOf = (order: RunOrder) => ({ ...order.facts(tools as Tools), config: { ...order.config } })

/** A server that has this run and nothing else. */
function serverWith(run: string, settings: unknown): Client {
  const transport = ({ url }: Request): Response => {
    const { pathname } = new URL(url)
    if (pathname === '/v1/runs') return Response.json({ rows: [{ run_id: run }] })
    if (pathname === '/v1/trajectories') return Response.json({ rows: [], next: null })
    if (pathname === `/v1/runs/${run}`) return Response.json({ run_id: run, settings })
    return Response.json({ code: 'not_found', detail: 'no', hint: 'list them: /v1/trajectories' }, { status: 404 })
  }
  return client({ url: 'http://test', key: undefined, transport })
}

it('a run goes on with the same settings, and with no others', async () => {
  const before = factsOf(await ordered('--run', 'r', '--seed', '7'))
  const server = serverWith('r', runStartedEvent({ ...before, config: { ...before.config, actor_model: 'x' } }, 5).data)
  const again = async (...words: string[]) => checkGoesOn(server, factsOf(await ordered('--run', 'r', ...words)))
  const misused = { hint: expect.stringContaining('--run'), details: { misuse: true } }
  await again('--seed', '7', '--items', '99', '--clock', 'simulated')
  await expect(again('--seed', '7', '--policy', 'noisy')).rejects.toMatchObject({
    message: 'the run r was played by expert',
    ...misused,
  })
  await expect(again('--seed', '8')).rejects.toMatchObject({ message: 'the run r was begun with seed 7, and not 8' })
  await expect(again('--seed', '7', '--split', 'test')).rejects.toThrow('split train, and not test')
  await expect(again('--seed', '7', '--max-turns', '5')).rejects.toThrow('max_turns 3, and not 5')
  await checkGoesOn(server, factsOf(await ordered('--run', 'another', '--seed', '8')))
})

it('a run that something else began is not gone on with', async () => {
  const facts = factsOf(await ordered('--run', 'r'))
  const server = serverWith('r', { run_id: 'r', kind: 'rl' })
  await expect(checkGoesOn(server, facts)).rejects.toThrow('something else than gym run')
  await checkGoesOn(serverWith('r', null), facts)
})

it('what is there of other items is told apart from what was asked for', () => {
  expect(thereLine({ known: 0, played: 7 }, 0)).toBeUndefined()
  expect(thereLine({ known: 7, played: 3 }, 7)).toBe('  7 rollouts were there already')
  expect(thereLine({ known: 7, played: 0 }, 70)).toMatch(/^ {2}7 rollouts were there already; the run holds 70,/)
  expect(thereLine({ known: 0, played: 7 }, 70)).toMatch(/^ {2}0 rollouts were there already; the run holds 77,/)
})

it('a run that is told to stop says what it waits for', () => {
  expect(stoppingLine(16)).toBe('  stopping: 16 episodes in flight end first; again to stop at once')
  expect(stoppingLine(1)).toContain('1 episode in flight ends first')
  expect(stoppingLine(0)).toContain('what was played is sent first')
})

it('a replay refuses what it would leave out of account', async () => {
  for (const option of ['--items', '--families', '--kind', '--group-size'])
    await expect(ordered('--policy', 'replay', '--from', 'r', option, '5')).rejects.toMatchObject({
      message: expect.stringContaining(`${option} is not for --policy replay`),
      details: { misuse: true },
    })
  expect(await ordered('--policy', 'replay', '--from', 'r')).toMatchObject({ from: 'r' })
})

it('a replay of nothing says what --from takes', async () => {
  const around = { server: serverWith('expert-1', null), nowMs: 0 } as unknown as Around
  await expect(sourceOf(await ordered('--policy', 'replay', '--from', 'expert-2'), around)).rejects.toMatchObject({
    code: 'not_found',
    message: 'there is no run and no trajectory expert-2',
    hint: 'did you mean expert-1? --from takes the id of either',
  })
  await expect(sourceOf(await ordered('--policy', 'replay', '--from', 'expert-1'), around)).rejects.toMatchObject({
    message: 'there is nothing to replay of expert-1',
  })
})

it('another reward for a run that is not there is refused, with the nearest that is', async () => {
  const server = createServer(({ url }, response) => {
    const isThere = url === '/healthz' || url?.startsWith('/v1/runs?') || url?.startsWith('/v1/trajectories?')
    response.writeHead(isThere ? 200 : 404).end(JSON.stringify({ rows: [{ run_id: 'expert-1' }], code: 'not_found' }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const words = ['--run', 'exprt-1', '--reward-version', 'vista-1-dense']
  const context = await contextOf(gymRescore, words, (server.address() as AddressInfo).port)
  await expect(gymRescore.run(context)).rejects.toMatchObject({
    message: 'there is no run exprt-1',
    hint: expect.stringContaining('did you mean expert-1?'),
  })
  server.closeAllConnections()
  server.close()
})

it('a run that another process still plays is told so, without advice about servers', async () => {
  const context = await contextOf(gymRun, [])
  const first = await runSpool(context, 'r', () => {})
  await expect(runSpool(context, 'r', () => {})).rejects.toMatchObject({
    code: 'store_in_use',
    message: `process ${process.pid} is playing the run r, or is still stopping`,
    hint: expect.stringMatching(/^wait for it to end(?!.*(server|DATA_DIR))/),
  })
  await first.close(true)
})

it('families are spelled alike in both commands', () => {
  for (const { spec } of [gymRun, gymContactSheet])
    expect(readArguments(spec, ['--families', 'chart,spatial']).text('families')).toBe('chart,spatial')
})

const run = promisify(execFile)
const main = fileURLToPath(import.meta.resolve('#services/cli/main.ts'))

it('the gym by itself lists its commands', async () => {
  const { stdout } = await run(process.execPath, [main, 'gym', '--help'])
  expect(stdout.match(/^ {2}gym \S+/gm)).toEqual(['  gym run', '  gym serve', '  gym rescore', '  gym contact-sheet'])
  expect(stdout).not.toContain('quarantine')
  await expect(run(process.execPath, [main, 'gym'])).rejects.toMatchObject({ code: 2, stdout, stderr: '' })
})

it('the measurement of accuracy says how it is called', async () => {
  const accuracy = fileURLToPath(import.meta.resolve('#tests/bench/gym-accuracy.ts'))
  const { stdout } = await run(process.execPath, [accuracy, '--help'])
  expect(stdout).toMatch(/^npm run gym:accuracy[\s\S]*--families LIST/)
})
