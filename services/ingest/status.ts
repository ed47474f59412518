/** How a process is that runs ingest and nothing else: whether it can take events, and what it was asked. */
import { jsonText } from '#services/json-text.ts'
import type { Log } from '#services/log/log.ts'
import { asProblem } from '#services/problem.ts'
import type { Budget } from './budget.ts'

/** Counts of answers, by route and status. */
export class AnswerCounts {
  readonly #counts = new Map<string, number>()

  add(method: string, route: string, status: number): void {
    const labels = `method="${method}",route="${route}",status="${status}"`
    this.#counts.set(labels, (this.#counts.get(labels) ?? 0) + 1)
  }

  lines(): string[] {
    return [...this.#counts].map(([labels, n]) => `stepstore_requests_total{${labels}} ${n}`)
  }
}

/** A log that says nothing for so long takes no events either. */
const LOG_MS_MAX = 4_000

/** Whether the log answers; 503 with the reason where it does not. */
export async function readiness(log: Log): Promise<Response> {
  const late = Promise.withResolvers<string>()
  const timer = setTimeout(() => late.resolve(`the log has not answered for ${LOG_MS_MAX / 1000} s`), LOG_MS_MAX)
  const asked = log.bounds().then(
    () => undefined,
    (error: unknown) => `the log cannot be read: ${asProblem(error).message}`,
  )
  const detail = await Promise.race([asked, late.promise])
  clearTimeout(timer)
  const reasons = detail === undefined ? [] : [{ code: 'not_answering', detail }]
  return new Response(jsonText({ ready: detail === undefined, reasons }), {
    status: detail === undefined ? 200 : 503,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      ...(detail === undefined ? {} : { 'retry-after': '1' }),
    },
  })
}

/** Metrics for Prometheus. */
export async function metrics(log: Log, budget: Budget, answers: AnswerCounts): Promise<Response> {
  const bounds = await log.bounds()
  const lines = [
    '# HELP stepstore_log_end_offset The next offset of each partition.',
    '# TYPE stepstore_log_end_offset gauge',
    ...bounds.map(({ end }, partition) => `stepstore_log_end_offset{partition="${partition}"} ${end}`),
    '# HELP stepstore_ingest_bytes Bytes of bodies in memory now, and the most before requests are answered 429.',
    '# TYPE stepstore_ingest_bytes gauge',
    `stepstore_ingest_bytes{what="in_flight"} ${budget.used}`,
    `stepstore_ingest_bytes{what="max"} ${budget.max}`,
    '# HELP stepstore_requests_total Requests by route and status.',
    '# TYPE stepstore_requests_total counter',
    ...answers.lines(),
  ]
  return new Response(`${lines.join('\n')}\n`, {
    headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
  })
}
