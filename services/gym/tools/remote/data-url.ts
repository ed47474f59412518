/** Pictures as data URLs, the form in which both wires carry them. */
import { decodedPng } from '#services/gym/picture/decode.ts'
import type { Pixels } from '#services/gym/tools/tool.ts'

/** A PNG as a data URL. */
export const dataUrl = (png: Uint8Array): string => `data:image/png;base64,${Buffer.from(png).toString('base64')}`

/** The pixels of a data URL; undefined for what is no PNG, or one that is too large. */
export function pixelsOf(url: string): Pixels | undefined {
  const encoded = /^data:image\/png;base64,([A-Za-z0-9+/=\s]+)$/.exec(url)?.[1]
  if (encoded === undefined) return undefined
  try {
    return decodedPng(Buffer.from(encoded, 'base64'))
  } catch {
    return undefined
  }
}
