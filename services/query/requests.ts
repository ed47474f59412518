/** Counts of requests for /metrics: by route, never by path, so that the number of series is bounded. */

/** How often a route answered with a status, and how long that took in all. */
export interface RequestCount {
  readonly route: string
  readonly method: string
  readonly status: number
  n: number
  total_ms: number
}

export class RequestCounts {
  readonly #counts = new Map<string, RequestCount>()

  add(method: string, route: string, status: number, durationMs: number): void {
    const key = `${method} ${route} ${status}`
    const count = this.#counts.get(key) ?? { route, method, status, n: 0, total_ms: 0 }
    count.n += 1
    count.total_ms += durationMs
    this.#counts.set(key, count)
  }

  all(): readonly RequestCount[] {
    return [...this.#counts.values()]
  }
}
