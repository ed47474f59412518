import { ToolFailure, type Pixels, type ToolRequest } from '#services/gym/tools/tool.ts'

/** The picture that a call means: `image_index`, or the first. Throws ToolFailure where there is none. */
export function pictureOf({ images, arguments: values }: ToolRequest): Pixels {
  if (images.length === 0) throw new ToolFailure('NoImageError', 'there is no image')
  const place = typeof values['image_index'] === 'number' ? values['image_index'] : 0
  const image = images[place]
  if (image === undefined) {
    throw new ToolFailure('InvalidInput', `there is no image ${place}; there are ${images.length}, from 0`)
  }
  return image
}
