import { sql } from 'kysely'
import { queryWorld } from './world.ts'
import { rollout } from './rollouts.ts'
const world = await queryWorld()
await world.send(['run.started', { run_id: 'r1', kind: 'rl', reward_version: 'v' }], ...rollout({ id: 'x', group: 'gx', steps: 10, reward: 1 }))
const db = world.store.db
const t0 = performance.now()
const N = 100_000
// clone the trajectory
await sql`insert into trajectories select (json_populate_record(t, json_build_object('trajectory_id','t'||i,'group_id','g'||(i/8),'rollout_index',i%8,'item_id','item'||(i/8%500),'policy_version',i/8/500,'train_step',i/8/100))).* from trajectories t, generate_series(1,${sql.lit(N)}) i where t.trajectory_id='x'`.execute(db)
await sql`insert into scores select 't'||i, '', s."offset", s.content_hash, i%3, s.parts, s.answer_match, s.format_ok from scores s, generate_series(1,${sql.lit(N)}) i where s.trajectory_id='x'`.execute(db)
await sql`insert into steps select 't'||i, s.step_index, s."offset", s.content_hash from steps s, generate_series(1,${sql.lit(N)}) i where s.trajectory_id='x'`.execute(db)
console.log('seeded', performance.now() - t0)
await sql`analyze`.execute(db)
async function time(path: string, n: number) {
  const times: number[] = []; const c0 = process.cpuUsage()
  for (let i = 0; i < n; i++) {
    const p = path.replace('$', String(1 + Math.floor(i * 977) % N))
    const t = performance.now()
    const r = await world.request(p)
    const text = await r.text()
    times.push(performance.now() - t)
    if (r.status !== 200) console.log(p, r.status, text)
  }
  const c1 = process.cpuUsage(c0); console.log("   cpu per request", ((c1.user + c1.system) / 1000 / n).toFixed(2)); times.sort((a, b) => a - b)
  console.log(path, 'median', times[n >> 1]?.toFixed(2), 'max', times.at(-1)?.toFixed(2))
}
await time('/v1/trajectories/t$', 300)
await time('/v1/trajectories/t$?after=latest', 300)
await time('/v1/trajectories/t$/steps', 100)
await time('/v1/groups/g1000?run=r1', 100)
await time('/v1/groups/g1000', 20)
await time('/v1/runs', 5)
await time('/v1/runs/r1', 5)
await time('/v1/trajectories?limit=100', 10)
await time('/v1/trajectories?limit=100&run=r1', 10)
await time('/v1/trajectories?limit=100&run=r1&reward_gte=2', 10)
await time('/v1/trajectories?limit=100&run=r1&train_step=50', 5)
await time('/v1/groups?limit=100', 5)
await time('/v1/groups?limit=100&run=r1&zero_variance=true', 3)
await time('/v1/analytics/pass-at-k?run=r1', 3)
await time('/v1/analytics/groups?run=r1', 3)
await time('/v1/items/item5', 3)
for (const k of ['missing_steps', 'conflict', 'unfinished', 'incomplete_group', 'missing_image', 'late']) await time('/v1/gaps?run=r1&kind=' + k, 2)
await time('/metrics', 3)

await world.close()
