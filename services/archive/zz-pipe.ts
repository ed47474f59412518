import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { openLog } from '#services/log/open.ts'
import { pgliteStore } from '#services/store/pglite.ts'
import { directoryBlobs } from '#services/blobs/directory.ts'
import { startProject } from '#services/project/project.ts'
import { openLake } from '#services/lake/lake.ts'
import { startArchive } from '#services/archive/archive.ts'
import { jsonLogger } from '#services/logger.ts'
const dir = await mkdtemp('/tmp/dpipe-')
const logger = jsonLogger({program:'t', level:'info', write: l => process.stdout.write(l), now: () => new Date()})
const log = await openLog({kind:'lmdb', folder: join(dir,'log')}, {logger, clock: () => new Date()})
const words = Array.from({length: 30000}, () => randomBytes(2 + Math.floor(Math.random()*4)).toString('base64url').toLowerCase())
const text = (n: number) => { let t=''; while (t.length<n) t += words[Math.floor(Math.random()*words.length)]+' '; return t }
const N = Number(process.argv[2] ?? 20000), S=8
let batch: any[] = [], bytes=0
for (let t=0; t<N/S; t++) {
  const id=`run1/t${Math.floor(t/256)}/item-${Math.floor(t/8)%32}/${t%8}`
  const ev = (type: string, data: any) => { const value = Buffer.from(JSON.stringify({specversion:'1.0', id:randomBytes(8).toString('hex'), source:'bench', type, time:'2026-11-23T03:00:00.123456Z', data})); bytes+=value.length; batch.push({key:id, headers:{'content-type':'application/cloudevents+json'}, value}) }
  ev('trajectory.started', {trajectory_id:id, run_id:'run1', item_id:`item-${t}`, policy_version:1, prompt:[{role:'user', content:text(300)}]})
  for (let i=0;i<S;i++) ev('step.recorded', {trajectory_id:id, step_index:i, run_id:'run1', action_kind:'tool_call',
  raw_output: `<think>${text(500)}</think><tool_call>{"name":"chart_to_table","arguments":{"x":${i}}}</tool_call>`, think_text: text(400),
  tool_calls:[{id:`call_${i}`, name:'chart_to_table', arguments:{x:i}, status:'ok', latency_ms: i%300, output_text: text(100)}],
  observation:[{role:'tool', content:text(400), tool_call_id:`call_${i}`, name:'chart_to_table'}], completion_tokens: i%100, prompt_tokens: i%1000})
  ev('trajectory.finished', {trajectory_id:id, status:'completed', end_reason:'answer', n_steps:S, reward:1})
  if (batch.length>=1000) { await log.append(batch); batch=[] }
}
await log.append(batch)
const total = (await log.bounds()).reduce((a,b)=>a+b.end,0)
console.log('events', total, 'bytes', bytes)
const store = await pgliteStore({folder: undefined, logger})
const blobs = await directoryBlobs({folder: join(dir,'blobs')})
const lake = await openLake({scratchDir: join(dir,'scratch'), threads: 2, memoryLimitMb: 1024, logger})
const t0=performance.now(), c0=process.cpuUsage()
const project = await startProject({log, store, logger})
const archive = await startArchive({log, logPlace:{kind:'lmdb', folder: join(dir,'log')}, store, blobs, lake, project, logger, clock: () => Date.now(), ...(process.argv[3] ? {cutBytes: Number(process.argv[3])} : {})})
const end = new Map((await log.bounds()).map((b,p)=>[p,b.end]))
await project.waitFor(end, 600000)
console.log('project', ((performance.now()-t0)*1000/total).toFixed(1),'us/event wall')
const s = await archive.reach(end, 600000)
const d=process.cpuUsage(c0)
console.log('archive', s, ((performance.now()-t0)*1000/total).toFixed(1),'us/event wall; main cpu', ((d.user+d.system)/total).toFixed(1))
await archive.stop(); await project.stop(); await lake.close(); await store.close(); await log.close()
