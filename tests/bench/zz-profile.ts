import { bigLake, ENGINE } from './big-lake.ts'
import { compile } from '#services/datasets/compile.ts'
import { DuckDBInstance } from '@duckdb/node-api'
import { join } from 'node:path'
const kind = process.argv[2] ?? 'build'
const lake = kind === 'build' ? await bigLake({ runs: 10, trajectoriesEach: 1000, stepsEach: 10 }) : await bigLake({ runs: 10, trajectoriesEach: 100000, stepsEach: 0 })
const f = (t: any, rows: number) => [{ path: t, rows, stats: {}, localPath: lake.file(t) }]
const files: any = kind === 'build' ? { trajectories: f('trajectories', 10000), scores: f('scores', 10000), steps: f('steps', 100000) } : { trajectories: f('trajectories', 1e6), scores: f('scores', 1e6) }
const asked: any = { recipe: 'sft', format: 'parquet', shape: 'openai', conditions: kind === 'build' ? { reward: { any: [], ne: [], gte: 0.5 } } : { run: { any: ['r0003'], ne: [] }, reward: { any: [], ne: [], gte: 0.5 } }, include: [] }
const inst = await DuckDBInstance.create(':memory:', { threads: String(ENGINE.threads), memory_limit: `${ENGINE.memoryLimitMb}MB`, temp_directory: join(lake.folder, 'p') })
for (let round = 0; round < 3; round++) {
  const c = await inst.connect()
  const comp = compile(asked, files)
  const w: any = comp.write(join(lake.folder, 'o.parquet'), 'x')
  const all = [...comp.prepare, comp.counts, ...(kind === 'build' ? [...w.gather, w.copy] : [])]
  const t0 = performance.now(); const cpu0 = process.cpuUsage()
  const rows: string[] = []
  for (const s of all) { const a = performance.now(); const p = process.cpuUsage(); await c.run(s); const d = process.cpuUsage(p); rows.push(`${(performance.now() - a).toFixed(0).padStart(6)} ms cpu ${((d.user + d.system) / 1000).toFixed(0).padStart(6)}  ${s.replaceAll(/\s+/g, ' ').slice(0, 90)}`) }
  const d = process.cpuUsage(cpu0)
  if (round === 2) console.log(rows.join('\n'))
  console.log('total', (performance.now() - t0).toFixed(0), 'cpu', ((d.user + d.system) / 1000).toFixed(0))
  if (kind === 'build') {
    const p = process.cpuUsage(); const a = performance.now()
    await c.run(`copy (
      select t.run_id, t.trajectory_id, t.item_id, t.group_id, t.policy_version, t.train_step, b.reward, b.answer_match as correct, t.status, s.messages
      from read_parquet('${lake.file('trajectories')}') t
      join read_parquet('${lake.file('scores')}') b using (trajectory_id)
      join (select trajectory_id, flatten(list([{role: 'assistant', content: raw_output}, {role: 'tool', content: observation[1].content}] order by step_index)) as messages
            from read_parquet('${lake.file('steps')}') group by trajectory_id) s using (trajectory_id)
      where t.n_steps = t.n_steps_seen and t.n_conflicts = 0 and b.reward >= 0.5
      order by t.run_id, t.trajectory_id) to '${join(lake.folder, 'alone.parquet')}' (format parquet, compression zstd)`)
    const d = process.cpuUsage(p)
    console.log('alone', (performance.now() - a).toFixed(0), 'cpu', ((d.user + d.system) / 1000).toFixed(0))
  }
  c.closeSync()
}
await lake.close()
