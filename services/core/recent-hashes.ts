/** The content hashes of the last records of a partition: whoever folded them need not leave them to be computed again. */

/** Hashes of records from an offset on; null where a record is no event. */
export interface HashRange {
  readonly from: number
  readonly hashes: readonly (string | null)[]
}

/** Keeps what was judged last. Not told of every record, it knows of fewer, never of wrong ones. */
export class RecentHashes {
  readonly #max: number
  #from = 0
  #hashes: (string | null)[] = []

  /** At least the last `max` records are known. */
  constructor(max: number) {
    this.#max = max
  }

  /** Notes the records from an offset on. What lies before a hole is forgotten. */
  add(from: number, hashes: readonly (string | null)[]): void {
    if (from !== this.#from + this.#hashes.length) {
      this.#from = from
      this.#hashes = []
    }
    for (const hash of hashes) this.#hashes.push(hash)
    if (this.#hashes.length > this.#max * 2) {
      const spare = this.#hashes.length - this.#max
      this.#hashes = this.#hashes.slice(spare)
      this.#from += spare
    }
  }

  /** What is known of [from, to). */
  range(from: number, to: number): HashRange {
    const start = Math.max(from, this.#from)
    return { from: start, hashes: this.#hashes.slice(start - this.#from, Math.max(0, to - this.#from)) }
  }
}
