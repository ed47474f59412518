/** An `s3://bucket/prefix?endpoint=…` URL as settings. What it does not know it refuses, by name. */
import { nearest } from '#services/core/nearest.ts'
import { Problem } from '#services/problem.ts'

/** Where objects lie. Credentials come from the usual AWS variables, files and roles. */
export interface S3Place {
  readonly bucket: string
  /** Empty, or ends in a slash. */
  readonly prefix: string
  /** Undefined means Amazon's own. */
  readonly endpoint: string | undefined
  /** Undefined means the one that the AWS variables and files name. */
  readonly region: string | undefined
  /** `http://host/bucket/key` instead of `http://bucket.host/key`. */
  readonly pathStyle: boolean
}

const PARAMETERS = ['endpoint', 'region', 'path_style'] as const
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const PREFIX = /^[A-Za-z0-9._=@+/-]*$/

const wrong = (detail: string, hint: string): Problem =>
  new Problem('invalid', `BLOBS_URL: ${detail}`, { hint, details: { misuse: true } })

/** Reads a URL. Throws `invalid` with what is wrong in it. */
export function s3Place(text: string): S3Place {
  const url = URL.parse(text)
  if (url?.protocol !== 's3:' || !BUCKET.test(url.host))
    throw wrong(
      'it is no s3://bucket/prefix',
      'use s3://bucket/prefix?endpoint=https://host&region=name; credentials go into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    )
  for (const name of url.searchParams.keys()) {
    if ((PARAMETERS as readonly string[]).includes(name)) continue
    const near = nearest(name, PARAMETERS)
    throw wrong(
      `unknown parameter ${name.slice(0, 40)}`,
      near === undefined ? `the parameters are ${PARAMETERS.join(', ')}` : `did you mean ${near}?`,
    )
  }
  const bare = url.pathname.replace(/^\/+|\/+$/g, '')
  if (!PREFIX.test(bare) || bare.includes('//'))
    throw wrong('its prefix has letters that keys do not take', 'use A-Z, a-z, 0-9, . _ = @ + - and /')
  const endpoint = url.searchParams.get('endpoint') ?? undefined
  if (endpoint !== undefined && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? ''))
    throw wrong('endpoint is no http(s) address', 'use endpoint=https://host:port')
  const style = url.searchParams.get('path_style')
  if (style !== null && style !== 'true' && style !== 'false')
    throw wrong(`path_style=${style.slice(0, 40)} makes no sense`, 'use true or false')
  return {
    bucket: url.host,
    prefix: bare === '' ? '' : `${bare}/`,
    endpoint,
    region: url.searchParams.get('region') ?? (endpoint === undefined ? undefined : 'us-east-1'),
    // Servers of one's own rarely have a name for every bucket.
    pathStyle: style === null ? endpoint !== undefined : style === 'true',
  }
}
