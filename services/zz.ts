import {memoryLog} from '#tests/support/memory-log.ts';import {event} from '/tmp/m/gen.mjs';import {pgliteStore} from '#services/store/pglite.ts';import {startProject} from '#services/project/project.ts';import {silent} from '#services/logger.ts';import {rmSync} from 'node:fs';
const N=60000, conc=Number(process.argv[2]??1000);
const log=memoryLog({partitions:4});
// conc concurrent trajectories, 10 steps each, interleaved
const recs=[];let base=0;for(let w=0;w<N/(conc*10);w++){for(let s=0;s<10;s++)for(let c=0;c<conc;c++){const t='run-1/traj-'+(base+c);recs.push({key:t,value:Buffer.from(JSON.stringify(event(t,s)))});}base+=conc}
await log.append(recs);
rmSync('/tmp/m/pgz',{recursive:true,force:true});
const store=await pgliteStore({folder:'/tmp/m/pgz',logger:silent});
const t=performance.now();const c0=process.cpuUsage();
const p=await startProject({log,store,logger:silent});const b=await log.bounds();
await p.waitFor(new Map(b.map((x,i)=>[i,x.end])),600000);
const ms=performance.now()-t;const cpu=process.cpuUsage(c0);console.log(recs.length,'events',Math.round(recs.length/ms*1000),'/s',(ms*1000/recs.length).toFixed(1),'us wall/event',((cpu.user+cpu.system)/recs.length).toFixed(1),'us cpu/event',Math.round(process.memoryUsage().rss/1e6),'MB');
await p.stop();await store.close();
