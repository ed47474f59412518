/** Parts of the stack that go, for a minute or for good, and full disks: nothing acknowledged is lost, and all goes on without a restart. */
import {
  appendFileSync,
  chmodSync,
  cpSync,
  lchownSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  administer,
  DATABASE,
  endPostgres,
  newPassword,
  PACKAGED,
  type Postgres,
  postgresUrl,
  startPostgres,
} from '#infra/local/postgres.ts'
import { freePorts } from '#infra/local/processes.ts'
import { BUCKET, endpointOf, endS3, newCredentials, REGION, type S3, startS3 } from '#infra/local/s3.ts'
import { FleetWorld } from '#tests/support/fleet-world.ts'
import { kafkaBrokers } from '#tests/support/kafka-brokers.ts'
import { kafkaTopics } from '#tests/support/kafka-topics.ts'
import { postgresFaults } from '#tests/support/postgres-faults.ts'
import { until } from '#tests/support/processes.ts'
import { canMount, fillDisk, mount, unmountAll } from '#tests/support/small-disk.ts'
import { needsStack, stack } from '#tests/support/stack.ts'

const LEASE_S = 2
const AWAY_MS = 60_000
const EACH = { ingest: 1, query: 1, archive: 1, project: 1 } as const
const needsMount = canMount ? '' : ' (needs the right to mount a tmpfs)'

describe.skipIf(stack === undefined)(`outages${needsStack}`, { timeout: 420_000 }, () => {
  let world: FleetWorld
  let folder = ''
  const ends: (() => Promise<unknown>)[] = []
  beforeAll(async () => {
    world = await FleetWorld.open(stack, LEASE_S)
    folder = mkdtempSync(join(tmpdir(), 'stepstore-outages-'))
    // Postgres may run as another user, who must be able to pass through.
    chmodSync(folder, 0o711)
  })
  afterEach(async () => {
    await world.clear()
    for (const end of ends.splice(0).toReversed()) await end()
    unmountAll()
  })
  afterAll(async () => {
    await world.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Sends rollouts `from` to `to`, ten at a time, each until it is acknowledged. Gives every refusal on the way. */
  async function insist(from: number, to: number): Promise<{ status: number; retryAfter: string | null }[]> {
    const refusals = []
    for (let at = from; at < to; at += 10) {
      const body = world.body(at, 10)
      for (let answer = await world.post(body); answer.status !== 200; answer = await world.post(body)) {
        refusals.push({ status: answer.status, retryAfter: answer.retryAfter })
        await sleep(200)
      }
    }
    return refusals
  }

  /** Everything that was sent is there, the same everywhere, and no process had to be started again. */
  async function expectWhole(rollouts: number): Promise<void> {
    await until(
      'everything to be there',
      async () => {
        const { status, body } = await world.json('/v1/runs/programs?after=latest&wait=30')
        return status === 200 && body['n_trajectories'] === rollouts ? true : undefined
      },
      120_000,
    )
    await until(
      'a snapshot of it',
      async () => ((await world.json('/v1/snapshots?after=latest&wait=30')).status === 200 ? true : undefined),
      120_000,
    )
    await world.agreed()
    expect(world.members.filter(({ crashes }) => crashes > 0).map(({ name }) => name)).toEqual([])
  }

  async function readyzSays(program: string, what: RegExp): Promise<void> {
    let last = ''
    await until(
      '/readyz to say what is wrong',
      async () => {
        const { status, body } = await world.json('/readyz', world.of(program).url)
        last = JSON.stringify(body)
        return status === 503 && what.test(last) ? true : undefined
      },
      120_000,
    ).catch((error: Error) => expect.unreachable(`${error.message}; it says ${last}`))
  }

  it('of every broker for a minute: refused with a time to try again, read all the while, and whole afterwards', async () => {
    const { env } = await world.place()
    const brokers = await kafkaBrokers(1)
    ends.push(() => brokers.stop())
    const topics = await kafkaTopics(brokers.addresses)
    ends.push(() => topics.close())
    const topic = await topics.make()
    await world.started({ ...env, LOG_URL: `kafka://${brokers.addresses.join(',')}/${topic}` }, EACH)
    expect(await world.trajectories(await world.send(0, 20))).toBe(20)
    await brokers.kill(1)
    const sending = insist(100, 160)
    sending.catch(() => undefined)
    let reads = 0
    for (const until = Date.now() + AWAY_MS; Date.now() < until; await sleep(1_000)) {
      expect((await world.json('/v1/runs/programs')).body['n_trajectories']).toBe(20)
      reads += 1
    }
    expect(reads).toBeGreaterThan(5)
    await brokers.start(1)
    const refusals = await sending
    expect(refusals).not.toHaveLength(0)
    for (const { status, retryAfter } of refusals) {
      expect([429, 503]).toContain(status)
      expect(Number(retryAfter)).toBeGreaterThan(0)
    }
    await expectWhole(80)
  })

  /** A Postgres of its own, ended with the test. */
  async function ownPostgres(name: string): Promise<Postgres> {
    const [port = 0] = await freePorts(1)
    const server: Postgres = { folder: join(folder, name), version: PACKAGED, port, password: newPassword() }
    ends.push(() => endPostgres(server, 'SIGKILL'))
    return server
  }

  /** A copy of a server that is stopped, as another server with the same roles. */
  async function copyOf(server: Postgres, name: string): Promise<Postgres> {
    const copy = { ...(await ownPostgres(name)), password: server.password }
    cpSync(server.folder, copy.folder, { recursive: true, verbatimSymlinks: true })
    for (const gone of ['pid', 'data/postmaster.pid']) rmSync(join(copy.folder, gone), { force: true })
    // Copies belong to whoever made them, and Postgres runs as the owner of the first one.
    ownAs(server.folder, copy.folder)
    return copy
  }

  it('of Postgres, with a standby that has every commit put in its place: whole, and nothing folded twice', async () => {
    const { env } = await world.place()
    const primary = await ownPostgres('primary')
    await startPostgres(primary)
    await endPostgres(primary, 'SIGTERM')
    const standby = await copyOf(primary, 'standby')
    await startPostgres(primary)
    const login = `host=127.0.0.1 port=${primary.port} user=postgres password=${primary.password} application_name=standby`
    setting(standby, `primary_conninfo = '${login}'`)
    writeFileSync(join(standby.folder, 'data', 'standby.signal'), '')
    await startPostgres(standby)
    await administer(primary, "alter system set synchronous_standby_names = 'standby'")
    await administer(primary, 'select pg_reload_conf()')
    const proxy = await postgresFaults(primary.port)
    ends.push(() => proxy.close())
    await world.started({ ...env, STORE_URL: postgresUrl({ ...primary, port: proxy.port }) }, { ...EACH, project: 2 })
    expect(await world.trajectories(await world.send(0, 20))).toBe(20)
    const sending = insist(100, 400)
    sending.catch(() => undefined)
    await sleep(500)
    await endPostgres(primary, 'SIGKILL')
    await sleep(2_000)
    await administer(standby, 'select pg_promote()')
    proxy.leadTo(standby.port)
    await sending
    await expectWhole(320)
  })

  it('of Postgres, with a copy in its place that lacks the last commits: folded and entered again, and whole', async () => {
    const { env } = await world.place()
    const primary = await ownPostgres('lost')
    await startPostgres(primary)
    const proxy = await postgresFaults(primary.port)
    ends.push(() => proxy.close())
    await world.started({ ...env, STORE_URL: postgresUrl({ ...primary, port: proxy.port }) }, { ...EACH, project: 2 })
    expect(await world.trajectories(await world.send(0, 30))).toBe(30)
    expect((await world.json('/v1/snapshots?after=latest&wait=60')).status).toBe(200)
    await endPostgres(primary, 'SIGTERM')
    const copy = await copyOf(primary, 'behind')
    await startPostgres(primary)
    await insist(100, 200)
    await until(
      'a snapshot that the copy will not have',
      async () => ((await world.json('/v1/snapshots?after=latest&wait=30')).status === 200 ? true : undefined),
      60_000,
    )
    expect(await world.trajectories('latest')).toBe(130)
    const held = (await world.json('/v1/snapshots?limit=1')).body['rows'] as { snapshot_id: number }[]
    await endPostgres(primary, 'SIGKILL')
    await startPostgres(copy)
    proxy.leadTo(copy.port)
    await insist(300, 340)
    await expectWhole(170)
    // A snapshot that was told of is there again, and is the same.
    const again = (await world.json('/v1/snapshots?limit=1000')).body['rows']
    expect(again).toContainEqual(held[0])
  })

  it.skipIf(!canMount)(
    `of room where Postgres writes: events are taken, and folded once there is room${needsMount}`,
    async () => {
      const { env } = await world.place()
      const server = await ownPostgres('full')
      mount(server.folder, 400)
      await startPostgres(server)
      await world.started({ ...env, STORE_URL: postgresUrl(server, 'stepstore_owner', DATABASE) }, EACH)
      expect(await world.trajectories(await world.send(0, 20))).toBe(20)
      const release = fillDisk(server.folder)
      await insist(100, 1_000)
      await readyzSays('query', /No space left|project cannot go on|not_answering|cannot be reached/)
      release()
      // Without room for its own log it ends, as it should; whoever looks after it starts it again.
      await startPostgres(server)
      await expectWhole(920)
    },
  )

  it.skipIf(!canMount)(
    `of room in S3: events are taken, /readyz says so, and cuts go on once there is room${needsMount}`,
    async () => {
      if (stack === undefined) throw new Error('there is no stack')
      const { env } = await world.place()
      const [port = 0] = await freePorts(1)
      const s3: S3 = { ...newCredentials(), folder: join(folder, 's3'), cache: stack.s3.cache, port }
      mount(s3.folder, 256)
      ends.push(() => endS3(s3, 'SIGKILL'))
      await startS3(s3)
      const place = {
        BLOBS_URL: `s3://${BUCKET}?endpoint=${endpointOf(s3)}&region=${REGION}`,
        AWS_ACCESS_KEY_ID: s3.accessKeyId,
        AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
      }
      await world.started({ ...env, ...place }, EACH)
      expect(await world.trajectories(await world.send(0, 20))).toBe(20)
      expect((await world.json('/v1/snapshots?after=latest&wait=60')).status).toBe(200)
      const release = fillDisk(s3.folder)
      await insist(100, 200)
      expect(await world.trajectories('latest')).toBe(120)
      await world.json('/v1/snapshots?after=latest&wait=1')
      await readyzSays('archive', /archive cannot go on/)
      release()
      await expectWhole(120)
    },
  )
})

/** Gives everything in a folder to the owner of another one. */
function ownAs(model: string, folder: string): void {
  const { uid, gid, mode } = statSync(join(model, 'data'))
  for (const path of ['', ...readdirSync(folder, { recursive: true, encoding: 'utf8' })])
    lchownSync(join(folder, path), uid, gid)
  chmodSync(join(folder, 'data'), mode)
}

function setting({ folder }: Postgres, line: string): void {
  appendFileSync(join(folder, 'data', 'postgresql.conf'), `\n${line}\n`)
}
