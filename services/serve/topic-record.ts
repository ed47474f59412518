/** A note in blobs of the topic that this lake is made from: everybody agrees on it, and it outlives the store. */
import type { Blobs } from '#services/blobs/blobs.ts'
import type { Log } from '#services/log/log.ts'
import { Problem } from '#services/problem.ts'

const keyOf = (log: Log): string => `log/${log.id}.json`

/**
 * Notes how many partitions a topic has when it is used first, and sees later that they are still as many. `lakeLog` is the
 * identity of the log that the lake in these blobs was made from, if there is a lake. Throws `partitions_changed`, and
 * `conflict` where the lake is that of another topic.
 */
export async function recordTopic(log: Log, blobs: Blobs, lakeLog: string | undefined): Promise<void> {
  if (lakeLog !== undefined && lakeLog !== log.id) {
    throw new Problem(
      'conflict',
      `the lake in BLOBS_URL was made from the log ${lakeLog}, and LOG_URL names ${log.id}`,
      {
        hint: 'the topic was made anew or is another one: name its own prefix in BLOBS_URL, and `npx stepstore import` what the old lake holds',
      },
    )
  }
  const note = Buffer.from(JSON.stringify({ format: 1, partitions: log.partitions }))
  if ((await blobs.put(keyOf(log), note, { ifAbsent: true })).created) return
  const text = Buffer.from((await blobs.get(keyOf(log))) ?? []).toString()
  const { partitions } = JSON.parse(text) as { readonly partitions: number }
  if (partitions === log.partitions) return
  throw new Problem('partitions_changed', `the topic had ${partitions} partitions and has ${log.partitions} now`, {
    hint: `make a new topic with ${log.partitions} partitions, name it in LOG_URL and a prefix of its own in BLOBS_URL, and \`npx stepstore import\` what the old lake holds`,
  })
}
