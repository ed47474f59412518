import {send,withServer,cpuSeconds,baseline} from '#tests/bench/processes.ts';import {batches} from '#tests/bench/ingest.ts'
const parse=await baseline('/tmp/hb/w60.ndjson')
for(const n of [4,8,16,32,8,4]){await withServer('ingest',async({port,pid})=>{const b=cpuSeconds(pid);const s=await send({...batches(port,'/tmp/hb/w60.ndjson'),connections:n});console.log(n,Math.round(s.events/s.ms*1000),(s.events/s.ms*1000/parse).toFixed(3),((cpuSeconds(pid)-b)/s.events*1e6).toFixed(1),'us cpu','p50',s.latencies[s.latencies.length>>1]!.toFixed(1))})}
