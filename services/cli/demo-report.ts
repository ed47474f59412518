/** What the demo holds once it is played, read back through the API, as tables and as URLs to go on with. */
import { fields, numberOf, rowsOf, textOf, type Client } from './client.ts'
import type { Played } from './demo-play.ts'
import { bar, count, decimal, size, table, type Paint } from './terminal.ts'

type Fields = Readonly<Record<string, unknown>>

/** Everything that the report tells. */
export interface DemoFacts {
  readonly url: string
  readonly run: string
  /** Whether requests must bear a key. */
  readonly needsKey: boolean
  readonly holdings: Readonly<Record<string, number>>
  /** Records of this play that were new; 0 the second time. */
  readonly added: number
  readonly versions: readonly VersionFacts[]
  readonly group: Fields
  /** The question's picture of that group. */
  readonly picture: string | undefined
  readonly passAtK: readonly { readonly k: number; readonly versions: readonly Fields[] }[]
  readonly pins: readonly {
    readonly file: string
    readonly url: string
    readonly rows: number
    readonly bytes: number
  }[]
}

interface VersionFacts {
  readonly version: number
  readonly rollouts: number
  readonly right: number
  readonly reward: number
  readonly groups: number
  /** Groups whose rollouts all have the same reward: they teach GRPO nothing. */
  readonly flat: number
}

const KS = [1, 2, 4, 8]
/** What a right answer in the right form earns at least; a right one in broken form gets less, and would teach that form. */
const WELL_FORMED_REWARD = 2

export interface ReadOptions {
  readonly client: Client
  readonly needsKey: boolean
  readonly run: string
  readonly played: Played
  /** The log's end before the play. */
  readonly before: string
  readonly versions: readonly number[]
}

/** Reads everything back, from state that includes what was played. */
export async function readDemo({ client, needsKey, run, played, before, versions }: ReadOptions): Promise<DemoFacts> {
  const after = `after=${encodeURIComponent(played.position)}&wait=60`
  const ofRun = `run=${encodeURIComponent(run)}`
  const about = fields(await client.get(`/v1/runs/${encodeURIComponent(run)}?${after}`))
  const [runs, items, groups] = [
    await all(client, '/v1/runs'),
    await all(client, `/v1/items?${ofRun}`),
    await all(client, `/v1/groups?${ofRun}`),
  ]
  const passes = await Promise.all(
    versions.map(async (version) =>
      fields(await client.get(`/v1/analytics/pass-at-k?${ofRun}&policy_version=${version}&k=${KS.join(',')}`)),
    ),
  )
  const group = await interesting(client, groups)
  const item = fields(await client.get(`/v1/items/${encodeURIComponent(textOf(group['item_id']) ?? '')}`))
  return {
    url: client.url,
    run,
    needsKey,
    holdings: {
      runs: runs.length,
      items: items.length,
      groups: groups.length,
      trajectories: numberOf(about['n_trajectories']),
      steps: numberOf(about['n_steps']),
      'tool calls': numberOf(about['n_tool_calls']),
      images: played.images,
      events: played.events,
    },
    added: await addedBy(client, played, before),
    versions: versions.map((version) =>
      versionFacts(
        version,
        groups.filter((group) => group['policy_version'] === version),
      ),
    ),
    group,
    picture: pictureOf(item),
    passAtK: KS.map((k) => ({
      k,
      versions: passes.map((pass) => rowsOf(pass['estimates']).find((row) => row['k'] === k) ?? {}),
    })),
    pins: [
      await pinned(client, `sft.parquet`, `${ofRun}&reward_gte=${WELL_FORMED_REWARD}`, 'train.parquet', after),
      await pinned(client, `trajectories.parquet`, ofRun, 'rollouts.parquet', after),
    ],
  }
}

/** All rows of a list. */
async function all(client: Client, path: string): Promise<Fields[]> {
  const rows: Fields[] = []
  let cursor: string | undefined
  do {
    const page = fields(
      await client.get(
        `${path}${path.includes('?') ? '&' : '?'}limit=1000${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
      ),
    )
    rows.push(...rowsOf(page['rows']))
    cursor = textOf(page['next'])
  } while (cursor !== undefined)
  return rows
}

/** How many of the played events were not there before. */
async function addedBy(client: Client, played: Played, before: string): Promise<number> {
  const query = new URLSearchParams({
    from: before,
    to: played.position,
    after: played.position,
    source: played.source,
  })
  let known = 0
  let cursor: string | undefined
  do {
    if (cursor !== undefined) query.set('cursor', cursor)
    const answer = fields(await client.get(`/v1/verdicts?${query.toString()}`))
    const counts = fields(answer['counts'])
    known += numberOf(counts['duplicate']) + numberOf(counts['conflict']) + numberOf(counts['unreadable'])
    cursor = textOf(answer['next'])
  } while (cursor !== undefined)
  return played.events - known
}

function versionFacts(version: number, groups: readonly Fields[]): VersionFacts {
  const members = groups.flatMap((group) => rowsOf(group['members']))
  const reward = members.reduce((sum, member) => sum + numberOf(member['reward']), 0) / Math.max(1, members.length)
  return {
    version,
    rollouts: members.length,
    right: members.filter((member) => member['correct'] === true).length / Math.max(1, members.length),
    reward,
    groups: groups.length,
    flat: groups.filter((group) => group['zero_variance'] === true).length,
  }
}

/** The group of the middle of the play whose rollouts differ most: the one that shows what an advantage is. */
async function interesting(client: Client, groups: readonly Fields[]): Promise<Fields> {
  const best =
    groups.reduce<Fields | undefined>(
      (found, group) => (numberOf(group['reward_std']) > numberOf(found?.['reward_std']) ? group : found),
      undefined,
    ) ?? groups[0]
  return best === undefined
    ? {}
    : fields(await client.get(`/v1/groups/${encodeURIComponent(textOf(best['group_id']) ?? '')}`))
}

/** The address of an item's first picture on its server. */
function pictureOf(item: Fields): string | undefined {
  const [picture] = rowsOf(item['images'])
  const id = textOf(picture?.['image_id'])
  return id === undefined ? undefined : `/v1/images/${id}`
}

/** Pins a dataset, and waits until it is built. */
async function pinned(
  client: Client,
  name: string,
  filter: string,
  file: string,
  after: string,
): Promise<DemoFacts['pins'][number]> {
  for (let left = 60; ; left--) {
    const answer = fields(await client.get(`/v1/datasets/${name}/pin?${filter}&${after}`))
    const url = textOf(answer['url'])
    if (url !== undefined) return { file, url, rows: numberOf(answer['rows']), bytes: numberOf(answer['bytes']) }
    if (left === 0) return { file, url: `${client.url}/v1/datasets/${name}?${filter}`, rows: 0, bytes: 0 }
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

const BAR_CELLS = 16

/** The report as text. */
export function demoText(facts: DemoFacts, paint: Paint): string {
  const { bold, dim, green } = paint
  const again =
    facts.added === 0
      ? `  ${green('Nothing was added:')} all ${count(facts.holdings['events'] ?? 0)} events were here already, and counted once.\n`
      : ''
  return [
    `\n${bold('What it holds')}\n`,
    table(
      [{ head: '' }, { head: '', right: true }],
      Object.entries(facts.holdings).map(([name, value]) => [name, count(value)]),
      paint,
    ),
    again,
    `\n${bold('Reward by policy version')}\n`,
    versionTable(facts.versions, paint),
    `\n${bold('One group side by side')}  ${dim(textOf(facts.group['group_id']) ?? '')}\n`,
    groupTable(facts.group, paint),
    `\n${bold('pass@k and pass^k')}  ${dim('k tries: one right, all right')}\n`,
    passTable(facts, paint),
    `\n${bold('What to do next')}\n`,
    nextSteps(facts, paint),
  ].join('')
}

function versionTable(versions: readonly VersionFacts[], paint: Paint): string {
  const right = true
  const columns = [
    { head: 'policy' },
    { head: 'rollouts', right },
    { head: 'right', right },
    { head: '' },
    { head: 'mean reward', right },
    { head: 'groups', right },
    { head: 'with no signal', right },
  ]
  const rows = versions.map((version) => [
    `v${version.version}`,
    count(version.rollouts),
    `${decimal(version.right * 100, 1)} %`,
    paint.blue(bar(version.right, BAR_CELLS)),
    decimal(version.reward, 2),
    count(version.groups),
    count(version.flat),
  ])
  return table(columns, rows, paint)
}

function groupTable(group: Fields, paint: Paint): string {
  const right = true
  const columns = [
    { head: 'reward', right },
    { head: 'right' },
    { head: 'advantage', right },
    { head: 'steps', right },
    { head: 'trajectory' },
    { head: 'why' },
  ]
  const rows = rowsOf(group['members']).map((member) => {
    const advantage = typeof member['advantage'] === 'number' ? member['advantage'] : undefined
    const signed = `${(advantage ?? 0) > 0 ? '+' : ''}${decimal(advantage, 2)}`
    const colour = (advantage ?? 0) > 0 ? paint.green : (advantage ?? 0) < 0 ? paint.red : paint.dim
    return [
      decimal(numberOf(member['reward']), 2),
      member['correct'] === true ? paint.green('yes') : paint.dim('no'),
      colour(signed),
      String(numberOf(member['n_steps'])),
      paint.dim(textOf(member['trajectory_id']) ?? ''),
      whyOf(fields(member['parts'])),
    ]
  })
  return table(columns, rows, paint)
}

/** The parts that made a reward, the ones that count: repeats rule out the rest, broken form rules out the answer. */
function whyOf(parts: Fields): string {
  const part = (name: string, key: string): string => {
    const points = numberOf(parts[key])
    return points === 0 ? '' : `${name} ${points > 0 ? '+' : ''}${points}`
  }
  return [part('repeats', 'rep'), part('form', 'format'), part('answer', 'correct')]
    .filter((told) => told !== '')
    .join(', ')
}

function passTable({ passAtK, versions }: DemoFacts, paint: Paint): string {
  const columns = [
    { head: 'k', right: true },
    ...['pass@k', 'pass^k'].flatMap((name) =>
      versions.map(({ version }) => ({ head: `${name} v${version}`, right: true })),
    ),
  ]
  const value = (row: Fields, name: string): string => decimal(typeof row[name] === 'number' ? row[name] : undefined, 3)
  const rows = passAtK.map(({ k, versions: found }) => [
    String(k),
    ...found.map((row) => value(row, 'pass_at_k')),
    ...found.map((row) => value(row, 'pass_hat_k')),
  ])
  return table(columns, rows, paint)
}

function nextSteps({ url, run, group, picture, pins, needsKey, versions }: DemoFacts, paint: Paint): string {
  const bearer = needsKey ? '-H "Authorization: Bearer $STEPSTORE_KEY" ' : ''
  const ofRun = `run=${encodeURIComponent(run)}`
  const best = rowsOf(group['members']).toSorted(
    (left, right) => numberOf(right['reward']) - numberOf(left['reward']),
  )[0]
  const rows = [
    ['read the pages of the API', `${url}/docs`],
    ['see the run', `${url}/v1/runs/${encodeURIComponent(run)}`],
    ['read one rollout, whole', `${url}/v1/trajectories/${encodeURIComponent(textOf(best?.['trajectory_id']) ?? '')}`],
    ...(picture === undefined ? [] : [['look at its picture', `${url}${picture}`]]),
    ['compare a group', `${url}/v1/groups/${encodeURIComponent(textOf(group['group_id']) ?? '')}`],
    ...versions.map(({ version }) => [
      `count pass@k of v${version}`,
      `${url}/v1/analytics/pass-at-k?${ofRun}&policy_version=${version}&k=${KS.join(',')}`,
    ]),
    ['count what went wrong', `${url}/v1/analytics/errors?${ofRun}&by=policy_version`],
    ['look for what is missing', `${url}/v1/gaps?${ofRun}`],
    ['see the lake', `${url}/v1/snapshots`],
  ].map(([what = '', where = '']) => [what, paint.blue(where)])
  const curls = pins.map(({ file, url: pinnedUrl, rows: n, bytes }) => {
    const what = file === 'train.parquet' ? 'get a training set' : 'get all rollouts'
    const why = file === 'train.parquet' ? `right answers in the right form (reward_gte=${WELL_FORMED_REWARD}); ` : ''
    return `\n  ${what}  ${paint.dim(`${why}${count(n)} rows, ${size(bytes)}; the same bytes for ever`)}\n  ${paint.bold(`curl ${bearer}-o ${file} '${pinnedUrl}'`)}\n`
  })
  return table([{ head: '' }, { head: '' }], rows, paint) + curls.join('')
}
