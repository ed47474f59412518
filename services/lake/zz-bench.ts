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
