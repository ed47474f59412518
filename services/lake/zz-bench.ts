import { readEvent } from '#services/core/event-reader.ts'
import { eventHash, naturalKey } from '#services/core/identity.ts'
import { eachLakeRow, stepRow, toolCallRows } from '#services/core/lake-rows.ts'
import { hash, randomBytes } from 'node:crypto'
import { canonicalText } from '#services/core/canonical.ts'
import { writeFileSync, readFileSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'

const words = Array.from({length: 30000}, () => randomBytes(2 + Math.floor(Math.random()*4)).toString('base64url').toLowerCase())
const text = (n: number) => { let t=''; while (t.length<n) t += words[Math.floor(Math.random()*words.length)]+' '; return t }
const N = 20000
const events = Array.from({length:N}, (_, i) => Buffer.from(JSON.stringify({specversion:'1.0', id:`e${i}`, source:'bench', type:'step.recorded', time:'2026-11-23T03:00:00.123456Z', data:{
  trajectory_id:`run1/t3/item-${Math.floor(i/32)}/${Math.floor(i/4)%8}`, step_index:i%4, run_id:'run1', action_kind:'tool_call',
  raw_output: `<think>${text(500)}</think><tool_call>{"name":"chart_to_table","arguments":{"x":${i}}}</tool_call>`, think_text: text(400),
  tool_calls:[{id:`call_${i}`, name:'chart_to_table', arguments:{x:i}, raw_call:`{"name":"chart_to_table","arguments":{"x":${i}}}`, status:'ok', latency_ms: i%300, output_text: text(100)}],
  observation:[{role:'tool', content:text(400), tool_call_id:`call_${i}`, name:'chart_to_table'}], completion_tokens: i%100, prompt_tokens: i%1000}})))
console.log('bytes/event', events.reduce((a,b)=>a+b.length,0)/N)
function time(name: string, f: () => unknown) { let best=1e9; for (let r=0;r<4;r++){ const t=process.hrtime.bigint(); f(); best=Math.min(best, Number(process.hrtime.bigint()-t)/1000/N)} console.log(name.padEnd(30), best.toFixed(2),'us') }
const headers = {'content-type':'application/cloudevents+json'}
let read: any[] = []
time('JSON.parse', () => events.map(b => JSON.parse(b.toString())))
time('readEvent', () => { read = events.map(b => readEvent(b, headers)) })
time('canonicalText', () => read.map(e => canonicalText(e.data)))
time('eventHash', () => read.map(e => eventHash(e.type, e.data)))
const ct = read.map(e => canonicalText(e.data))
time('sha256', () => ct.map(e => hash('sha256', e, 'hex')))
time('sha256 base64url', () => ct.map(e => hash('sha256', e, 'base64url')))
time('naturalKey', () => read.map(e => naturalKey(e.type, e.data)))
let rows: any[] = []
time('stepRow', () => { rows = read.map((e,i) => stepRow(e, {partition:0, offset:i, appendedAtMs: 1795000000000+i})) })
time('toolCallRows', () => { read.map((e,i) => toolCallRows(e, {partition:0, offset:i, appendedAtMs: 1795000000000+i})) })
const calls = read.flatMap((e,i) => toolCallRows(e, {partition:0, offset:i, appendedAtMs: 1795000000000+i}))
let lines: string[] = []
time('stringify step', () => { lines = rows.map(r => JSON.stringify(r)) })
time('stringify call', () => { calls.map(r => JSON.stringify(r)) })
time('join+write', () => writeFileSync('/tmp/dbench/steps.ndjson', lines.join('\n')+'\n'))
writeFileSync('/tmp/dbench/calls.ndjson', calls.map(r => JSON.stringify(r)).join('\n')+'\n')
time('stringify raw', () => events.map((b,i) => JSON.stringify({partition:0, offset:i, raw:b.toString()})))
writeFileSync('/tmp/dbench/raw.ndjson', Buffer.concat(events.flatMap(b => [b, Buffer.from('\n')])))
writeFileSync('/tmp/dbench/rawstr.ndjson', events.map((b,i) => JSON.stringify({partition:0, offset:i, appended_at:'2026-11-23T03:00:00.123000Z', key:`run1/t3/item-${Math.floor(i/32)}/${i%8}`, headers:'{"content-type":"application/cloudevents+json"}', verdict:'accepted', code:null, type:'step.recorded', natural_key: naturalKey('step.recorded', read[i].data), content_hash:eventHash('step.recorded', read[i].data), run_id:'run1', trajectory_id:read[i].data.trajectory_id, raw:b.toString(), dt:'2026-11-23'})).join('\n')+'\n')
const inst = await DuckDBInstance.create(':memory:', {threads:'2', memory_limit:'1GB'})
const c = await inst.connect()
await c.run("set timezone='UTC'")
async function atime(name: string, f: () => Promise<unknown>) { let best=1e9, cpu=1e9; for (let r=0;r<3;r++){ const c0=process.cpuUsage(); const t=process.hrtime.bigint(); await f(); best=Math.min(best, Number(process.hrtime.bigint()-t)/1000/N); const c1=process.cpuUsage(c0); cpu=Math.min(cpu,(c1.user+c1.system)/N)} console.log(name.padEnd(30), best.toFixed(2),'us wall', cpu.toFixed(2), 'us cpu') }
const { LAKE_TABLES, lakeColumns } = await import('#schemas/lake.ts')
const def = (t: any) => Object.entries(lakeColumns(t)).map(([n,ty]) => `"${n}" ${ty}`).join(', ')
const jc = (t: any) => '{'+Object.entries(lakeColumns(t)).map(([n,ty]) => `'${n}': '${ty}'`).join(', ')+'}'
const nk = read.map(e => naturalKey(e.type, e.data)), ch = read.map(e => eventHash(e.type, e.data))
await atime('events appender', async () => {
  await c.run(`create or replace table ev (${def('events')})`)
  const a = await c.createAppender('ev')
  const { DuckDBTimestampTZValue, DuckDBDateValue } = await import('@duckdb/node-api')
  const d = new DuckDBDateValue(20000)
  for (let i=0;i<N;i++) { a.appendInteger(0); a.appendBigInt(BigInt(i)); a.appendTimestampTZ(new DuckDBTimestampTZValue(1795000000000000n)); a.appendVarchar(read[i].data.trajectory_id); a.appendVarchar('{"content-type":"application/cloudevents+json"}'); a.appendVarchar('accepted'); a.appendNull(); a.appendVarchar('step.recorded'); a.appendVarchar(nk[i]!); a.appendVarchar(ch[i]!); a.appendVarchar('run1'); a.appendVarchar(read[i].data.trajectory_id); a.appendBlob(events[i]!); a.appendDate(d); a.endRow() }
  a.closeSync()
})
await atime('copy events', () => c.run(`copy (select * from ev order by partition, "offset") to '/tmp/dbench/ev.parquet' (format parquet, compression zstd, compression_level 3, row_group_size 8192)`))
await atime('copy events l1', () => c.run(`copy (select * from ev order by partition, "offset") to '/tmp/dbench/ev1.parquet' (format parquet, compression zstd, compression_level 1, row_group_size 8192)`))
await atime('copy events noorder', () => c.run(`copy (select * from ev) to '/tmp/dbench/ev2.parquet' (format parquet, compression zstd, compression_level 3, row_group_size 8192)`))
await atime('events ndjson->parquet', () => c.run(`copy (select * replace (encode(raw) as raw) from read_json('/tmp/dbench/rawstr.ndjson', format='newline_delimited', columns=${jc('events').replace("'raw': 'BLOB'","'raw': 'VARCHAR'")}) order by partition, "offset") to '/tmp/dbench/ev3.parquet' (format parquet, compression zstd, compression_level 3, row_group_size 8192)`))
// csv
await atime('csv build', async () => { const parts: Buffer[] = []; for (let i=0;i<N;i++){ const e=events[i]!; parts.push(Buffer.from(`0\x01${i}\x012026-11-23T03:00:00.123000Z\x01${read[i].data.trajectory_id}\x01{"content-type":"application/cloudevents+json"}\x01accepted\x01\x01step.recorded\x01${nk[i]}\x01${ch[i]}\x01run1\x01${read[i].data.trajectory_id}\x01`)); parts.push(e); parts.push(Buffer.from('\x012026-11-23\n')) } writeFileSync('/tmp/dbench/ev.csv', Buffer.concat(parts)) })
await atime('events csv->parquet', () => c.run(`copy (select * replace (encode(raw) as raw) from read_csv('/tmp/dbench/ev.csv', delim='\x01', quote='', escape='', header=false, auto_detect=false, new_line='\\n', max_line_size=8388608, columns=${jc('events').replace("'raw': 'BLOB'","'raw': 'VARCHAR'")}) order by partition, "offset") to '/tmp/dbench/ev4.parquet' (format parquet, compression zstd, compression_level 3, row_group_size 8192)`))
await atime('steps ndjson->parquet', () => c.run(`copy (select * from read_json('/tmp/dbench/steps.ndjson', format='newline_delimited', columns=${jc('steps')}) order by run_id, trajectory_id, step_index) to '/tmp/dbench/steps.parquet' (format parquet, compression zstd, compression_level 3, row_group_size 8192)`))
await atime('calls ndjson->parquet', () => c.run(`copy (select * from read_json('/tmp/dbench/calls.ndjson', format='newline_delimited', columns=${jc('tool_calls')}) order by run_id, trajectory_id, step_index) to '/tmp/dbench/calls.parquet' (format parquet, compression zstd, compression_level 3, row_group_size 8192)`))
await atime('auto ndjson->parquet', () => c.run(`copy (select data.* from read_json('/tmp/dbench/raw.ndjson', format='newline_delimited') order by data.run_id, data.trajectory_id, data.step_index) to '/tmp/dbench/auto.parquet' (format parquet, compression zstd, compression_level 3)`))
console.log((await c.runAndReadAll(`select md5(string_agg(md5(raw), '' order by "offset")) from '/tmp/dbench/ev.parquet' union all select md5(string_agg(md5(raw), '' order by "offset")) from '/tmp/dbench/ev4.parquet' union all select md5(string_agg(md5(raw), '' order by "offset")) from '/tmp/dbench/ev3.parquet'`)).getRows())
c.closeSync(); inst.closeSync()
