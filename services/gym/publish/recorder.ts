import type { GymEvent } from '#services/gym/loop/event.ts'

/** A picture on its way to the platform. */
export type RecordedImage = { readonly image_id: string; readonly bytes: Uint8Array }

/** Where the gym's events go. */
export type Recorder = {
  /**
   * Takes events and the pictures that they name, in order. Resolves once they are kept here; it waits for no network,
   * only for room. Throws when recording has failed for good.
   */
  add(events: readonly GymEvent[], images?: readonly RecordedImage[]): Promise<void>
}

/** Keeps everything in memory until it is taken. */
export function memoryRecorder(): Recorder & { take(): { events: GymEvent[]; images: RecordedImage[] } } {
  let events: GymEvent[] = []
  let images: RecordedImage[] = []
  return {
    add: async (added, pictures = []) => {
      events.push(...added)
      images.push(...pictures)
    },
    take: () => {
      const taken = { events, images }
      events = []
      images = []
      return taken
    },
  }
}
