/** Episodes as all faces tell them: pictures by their bytes or by a link, everything else as the core says it. */
import type { GymPicture } from '#schemas/http-gym.ts'
import type { Gym, Observation, Reset, StepResult } from '#services/gym/loop/gym.ts'

/** How pictures come: in base64, or by the path where the batch API has them. */
export type PictureForm = 'inline' | 'link'

/** An observation as it is sent. */
export type SentObservation = Omit<Observation, 'image_ids'> & { readonly images: readonly GymPicture[] }
export type SentReset = Omit<Reset, 'observation'> & { readonly observation: SentObservation }
export type SentStep = Omit<StepResult, 'observation'> & { readonly observation: SentObservation }

/** Where a picture of an open episode is. */
export const pictureUrl = (imageId: string): string => `/v1/gym/images/${imageId}`

/** An observation with its pictures. One that is gone with its episode is left out. */
export function sentObservation(gym: Gym, observation: Observation, form: PictureForm): SentObservation {
  const { image_ids, ...told } = observation
  return { ...told, images: image_ids.flatMap((id) => sentPicture(gym, id, form) ?? []) }
}

function sentPicture(gym: Gym, imageId: string, form: PictureForm): GymPicture | undefined {
  const picture = gym.image(imageId)
  if (picture === undefined) return undefined
  const { width, height, bytes } = picture
  return {
    image_id: imageId,
    media_type: 'image/png',
    width,
    height,
    ...(form === 'link' ? { url: pictureUrl(imageId) } : { data: Buffer.from(bytes).toString('base64') }),
  }
}

/** An episode that has begun. */
export const sentReset = (gym: Gym, reset: Reset, form: PictureForm): SentReset => ({
  ...reset,
  observation: sentObservation(gym, reset.observation, form),
})

/** What came of a turn. */
export const sentStep = (gym: Gym, step: StepResult, form: PictureForm): SentStep => ({
  ...step,
  observation: sentObservation(gym, step.observation, form),
})
