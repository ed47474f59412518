/** Training sets: a first build against DuckDB alone, counts, what a narrow filter reads, and a second GET against nginx. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import type { DatasetRequest } from '#services/datasets/request.ts'
import { bigLake, ENGINE, type BigLake } from './big-lake.ts'
import { batches, type Scale } from './ingest.ts'
import { descendants, send, startServer, withFolder } from './processes.ts'
import { getOk } from './reads.ts'
import { type Figure, median, say, short } from './report.ts'
import { writeWorkload } from './workload.ts'

const EACH = { trajectories: 1000, steps: 10 }
const COUNTED_TRAJECTORIES = 1_000_000
/** Each takes a fifth of a second, so what else the machine does shows in a single one. */
const NARROW_BUILDS = 15

async function took(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return performance.now() - startedMs
}

function request(
  recipe: DatasetRequest['recipe'],
  conditions: DatasetRequest['conditions'],
  limit?: number,
): DatasetRequest {
  return {
    recipe,
    format: 'parquet',
    shape: 'openai',
    conditions,
    rewardVersion: undefined,
    include: [],
    limit,
    seed: undefined,
  }
}

const oneRun = (run: number): DatasetRequest['conditions'] => ({
  run: { any: [`r${String(run).padStart(4, '0')}`], ne: [] },
})

const atLeast = (reward: number): DatasetRequest['conditions'] => ({ reward: { any: [], ne: [], gte: reward } })

/** Builds a dataset for the first time. */
async function build(
  { datasets, localPath }: BigLake,
  asked: DatasetRequest,
): Promise<{ rows: number; bytes: number; path: string }> {
  const pinned = await datasets.pin(asked, { snapshotId: 1, after: new Map(), waitMs: 0 })
  const found = await datasets.ready(pinned, 600_000)
  if (!('manifest' in found)) throw new Error('not built in time')
  const { rows, bytes, object } = found.manifest
  return { rows, bytes, path: await localPath(object) }
}

const ACTION = `{role: 'assistant', content: raw_output,
  tool_calls: case when len(tool_calls) > 0 then list_transform(tool_calls, lambda c: {id: c.id, type: 'function', function: {name: c.name, arguments: c.arguments}}) end,
  tool_call_id: null::varchar, name: null::varchar}`
const OBSERVED = `{role: observation[1].role, content: observation[1].content, tool_calls: null, tool_call_id: observation[1].tool_call_id, name: observation[1].name}`

/**
 * DuckDB alone, as somebody would write it who knows these files: no prompt, one message observed a step, nothing
 * without a finish. The same rows and columns in the same order, packed in the same way.
 */
const aloneSql = (lake: BigLake, output: string): string => `copy (
  with kept as (
    select t.run_id, t.trajectory_id, t.item_id, t.group_id, t.policy_version, t.train_step, b.reward, b.answer_match as correct, t.status, t.tools
    from read_parquet('${lake.file('trajectories')}') t join read_parquet('${lake.file('scores')}') b using (trajectory_id)
    where t.n_steps = t.n_steps_seen and t.n_conflicts = 0 and b.reward >= 0.5),
  said as (
    select trajectory_id, flatten(list([${ACTION}, ${OBSERVED}] order by step_index)) as messages,
      flatten(list(coalesce(images, []) order by step_index)) as images, flatten(list([1, 0] order by step_index)) as loss_mask
    from read_parquet('${lake.file('steps')}') where trajectory_id in (select trajectory_id from kept) group by trajectory_id)
  select k.* exclude (tools), s.messages, k.tools, s.images, s.loss_mask
  from kept k join said s using (trajectory_id) order by k.run_id, k.trajectory_id
) to '${output}' (format parquet, compression zstd, compression_level 1, row_group_size 2048)`

/** Runs a query with DuckDB alone. */
async function alone(lake: BigLake, sql: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(ENGINE.threads),
    // With the gigabyte that ours has it runs out of memory at a million steps: a list of messages is never spilled.
    memory_limit: '8GB',
    temp_directory: join(lake.folder, 'alone-spill'),
  })
  const connection = await instance.connect()
  try {
    return (await connection.runAndReadAll(sql)).getRows()
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

/** Throws where two files of Parquet do not have the same rows. */
async function mustBeEqual(lake: BigLake, ours: string, theirs: string): Promise<void> {
  const but = (left: string, right: string) =>
    `(select count(*) from (from read_parquet('${left}') except all from read_parquet('${right}')))`
  const [[more, less] = []] = await alone(lake, `select ${but(ours, theirs)}, ${but(theirs, ours)}`)
  if (more !== 0n || less !== 0n) throw new Error(`ours has ${String(more)} other rows, DuckDB alone ${String(less)}`)
}

/** Bytes that this process and its children have read so far. */
function bytesRead(): number {
  return descendants(process.pid).reduce((sum, pid) => {
    const read = /^rchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]
    return sum + Number(read)
  }, 0)
}

async function buildFigures({ rounds, steps }: Scale): Promise<Figure[]> {
  const runs = Math.max(1, Math.round(steps / EACH.trajectories / EACH.steps))
  say(`datasets: a lake of ${runs} runs with ${runs * EACH.trajectories * EACH.steps} steps`)
  const lake = await bigLake({ runs, trajectoriesEach: EACH.trajectories, stepsEach: EACH.steps })
  const tenth = await bigLake({
    runs: Math.ceil(runs / 10),
    trajectoriesEach: EACH.trajectories,
    stepsEach: EACH.steps,
  })
  try {
    const ratios: number[] = []
    const growths: number[] = []
    let made = { rows: 0, bytes: 0, path: '' }
    const theirs = join(lake.folder, 'alone.parquet')
    // The first answer of a process pays for its start.
    await build(lake, request('items', {}))
    await build(tenth, request('items', {}))
    for (let round = 0; round < rounds; round++) {
      const asked = request('sft', atLeast(0.5), 10_000_000 + round)
      const ours = await took(async () => {
        made = await build(lake, asked)
      })
      const bare = await took(() => alone(lake, aloneSql(lake, theirs)))
      ratios.push(ours / bare)
      if (round === 0) await mustBeEqual(lake, made.path, theirs)
      say(
        `  sft.parquet of ${made.rows} rows, ${short(made.bytes / 1e6)} MB: ${short(ours)} ms, DuckDB alone ${short(bare)} ms`,
      )
    }
    for (let n = 0; n < NARROW_BUILDS; n++) {
      const narrow = request('sft', oneRun(0), 1_000_000 + n)
      const large = await took(() => build(lake, narrow))
      const small = await took(() => build(tenth, narrow))
      growths.push(large / small)
      say(`  one run of ${runs}: ${short(large)} ms, of ${Math.ceil(runs / 10)}: ${short(small)} ms`)
    }
    const before = bytesRead()
    const narrow = await build(lake, request('sft', oneRun(Math.floor(runs / 2))))
    // Hashed once and copied once after it was written.
    const share = (bytesRead() - before - narrow.bytes * 2) / lake.bytes
    return [
      {
        name: 'first build / DuckDB alone',
        value: median(ratios),
        target: 1.5,
        better: 'less',
        detail: `sft.parquet of ${made.rows} trajectories, ${short(made.bytes / 1e6)} MB`,
      },
      {
        name: `bytes read for 1 of ${runs} runs`,
        value: share * 100,
        target: 5,
        better: 'less',
        unit: ' %',
        detail: `of ${short(lake.bytes / 1e6)} MB`,
      },
      {
        name: 'the same answer of ten times the lake',
        value: median(growths),
        target: 1.3,
        better: 'less',
        detail: 'time / time',
      },
    ]
  } finally {
    await tenth.close()
    await lake.close()
  }
}

async function countFigures({ rounds }: Scale): Promise<Figure[]> {
  const lake = await bigLake({ runs: 10, trajectoriesEach: COUNTED_TRAJECTORIES / 10, stepsEach: 0 })
  try {
    const times: number[] = []
    for (let round = 0; round < rounds * 5; round++) {
      const asked = request('sft', { ...oneRun(round % 10), ...atLeast(0.3 + round / 100) })
      const pinned = await lake.datasets.pin(asked, { snapshotId: 1, after: new Map(), waitMs: 0 })
      times.push(await took(() => lake.datasets.counts(pinned, new AbortController().signal)))
    }
    return [
      {
        name: '?explain=counts',
        value: median(times),
        target: 300,
        better: 'less',
        unit: ' ms',
        detail: `one run of ten in ${COUNTED_TRAJECTORIES.toLocaleString('en-GB')} trajectories, loaded as folded rows`,
      },
    ]
  } finally {
    await lake.close()
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

const download = (url: string): Promise<unknown> => promisify(execFile)('curl', ['-sf', '-o', '/dev/null', url])

/** nginx on a folder, until `stop`; undefined where it is not installed. */
async function nginx(folder: string): Promise<{ port: number; stop(): void } | undefined> {
  const port = await freePort()
  const home = join(folder, 'nginx')
  mkdirSync(join(home, 'logs'), { recursive: true })
  const config = join(home, 'nginx.conf')
  writeFileSync(
    config,
    `${process.getuid?.() === 0 ? 'user root; ' : ''}daemon off; worker_processes 1; pid ${home}/pid; error_log stderr crit; events {}
     http { access_log off; sendfile on; server { listen 127.0.0.1:${port}; root ${folder}/files; } }`,
  )
  const child = spawn('nginx', ['-p', home, '-c', config], { stdio: 'ignore' })
  const failed = once(child, 'error').then(() => true)
  const started = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 1000))
  if (await Promise.race([failed, started])) return undefined
  return { port, stop: () => void child.kill('SIGTERM') }
}

const GETS = 9

async function secondGetFigures({ steps }: Scale): Promise<Figure[]> {
  return withFolder(async (folder) => {
    const work = writeWorkload(join(folder, 'events.ndjson'), 'bench', Math.min(steps, 100_000))
    const server = await startServer('stepstore', folder)
    const files = join(folder, 'files')
    mkdirSync(files)
    const other = await nginx(folder)
    try {
      if (other === undefined) {
        say('  nginx is not installed (`apt-get install nginx-light`): no figure for a second GET')
        return []
      }
      await send(batches(server.port, work.path))
      const path = '/v1/datasets/sft.parquet?run=bench&after=latest&wait=60'
      await getOk(server.port, path)
      const ours = `http://127.0.0.1:${server.port}/v1/datasets/sft.parquet?run=bench`
      await promisify(execFile)('curl', ['-sf', '-o', join(files, 'sft.parquet'), ours])
      const theirs = `http://127.0.0.1:${other.port}/sft.parquet`
      const times: number[] = []
      for (let n = 0; n < GETS; n++) {
        const mine = await took(() => download(ours))
        times.push((await took(() => download(theirs))) / mine)
      }
      const { size } = statSync(join(files, 'sft.parquet'))
      return [
        {
          name: 'second GET / nginx',
          value: median(times),
          target: 0.4,
          aim: 0.7,
          detail: `rate of a whole file of ${short(size / 1e6)} MB by curl`,
        },
      ]
    } finally {
      other?.stop()
      await server.stop()
      rmSync(files, { recursive: true, force: true })
    }
  })
}

export async function datasetFigures(scale: Scale): Promise<Figure[]> {
  return [...(await buildFigures(scale)), ...(await countFigures(scale)), ...(await secondGetFigures(scale))]
}
