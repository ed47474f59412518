import { openLogReader } from '#services/log/open.ts'
import { openEngine } from './engine.ts'
import { writeCut } from './cut.ts'
import { Staging } from './staging.ts'
import { stageRecords } from './cut-records.ts'
import { mkdtempSync } from 'node:fs'
const log = await openLogReader({kind:'lmdb', folder:'/tmp/dpipe-5UoKLA/log'})
const b = await log.bounds(); const to = new Map(b.map((x,i)=>[i,x.end])); const n=[...to.values()].reduce((a,c)=>a+c)
const e = await openEngine({scratchDir:'/tmp/dbench', threads: 2, memoryLimitMb: 1024})
const ctx = {signal: new AbortController().signal, progress: () => {}}
const P = process.argv[2] === 'p'
for (let r=0;r<(P?8:4);r++) {
  const folder = mkdtempSync('/tmp/dbench/c-')
  const req = {log:{kind:'lmdb' as const, folder:''}, from:new Map(), to, verdicts:[], rows:{trajectories:[],runs:[],images:[]}, held:[], kept:[], folder}
  let t=performance.now(), c=process.cpuUsage()
  const lap = (w: string) => { const d=process.cpuUsage(c); console.log(w, ((performance.now()-t)*1000/n).toFixed(1), 'cpu', ((d.user+d.system)/n).toFixed(1)); t=performance.now(); c=process.cpuUsage() }
  for (let p=0;p<4;p++) { let at=0; while (at<to.get(p)!) { const x = await log.read(p, at, {recordsMax:2000, bytesMax:8e6}); at += x.length } }
  lap('read only')
  const s = new Staging(folder)
  await stageRecords(log, s, req, new Map(), ctx); s.close()
  lap('stage')
  if (!P) { const f = await e.with(ctx.signal, (conn) => s.write(conn, () => {})); lap('write'); if (r===0) console.log(f.map(x=>[x.table,x.rows,x.bytes])) }
}
