/** S3: MinIO, compiled from the module proxy of Go the first time (some minutes), a separate process. Needs Go 1.24. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { end, launch, run, running, untilReady } from './processes.ts'

export interface S3 {
  readonly folder: string
  /** Where the compiled program is kept. */
  readonly cache: string
  readonly port: number
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** Of the free servers this one keeps conditional puts, also under a race, and shows no part of an object (see WHY.md). */
const MINIO = 'v0.0.0-20260212201848-7aac2a2c5b7c'

export const BUCKET = 'stepstore'
export const REGION = 'us-east-1'
/** With it a bucket can also be named in the host: `<bucket>.s3.localhost`. */
export const DOMAIN = 's3.localhost'

export const newCredentials = (): { readonly accessKeyId: string; readonly secretAccessKey: string } => ({
  accessKeyId: `local${randomBytes(6).toString('hex')}`,
  secretAccessKey: randomBytes(20).toString('hex'),
})

export const endpointOf = ({ port }: S3): string => `http://127.0.0.1:${port}`

const folderOf = (cache: string): string => join(cache, `minio-${MINIO}`)

/** Whether it was compiled already. */
export const hasMinio = ({ cache }: S3): boolean => existsSync(join(folderOf(cache), 'minio'))

/** The program, compiled the first time. */
export async function fetchMinio(cache: string): Promise<string> {
  const folder = folderOf(cache)
  const program = join(folder, 'minio')
  if (existsSync(program)) return program
  await mkdir(folder, { recursive: true })
  await run('env', [
    'CGO_ENABLED=0',
    `GOBIN=${folder}`,
    'go',
    'install',
    '-trimpath',
    '-ldflags=-s -w',
    `github.com/minio/minio@${MINIO}`,
  ])
  return program
}

async function isLive(s3: S3): Promise<boolean> {
  try {
    return (await fetch(`${endpointOf(s3)}/minio/health/live`)).ok
  } catch {
    return false
  }
}

/** Makes a bucket where it is missing. */
export async function makeBucket(s3: S3, bucket: string): Promise<void> {
  const client = new S3Client({ endpoint: endpointOf(s3), region: REGION, forcePathStyle: true, credentials: s3 })
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }))
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'BucketAlreadyOwnedByYou') throw error
  } finally {
    client.destroy()
  }
}

/** Starts it, with its bucket. Resolves when it answers. */
export async function startS3(s3: S3): Promise<void> {
  const program = await fetchMinio(s3.cache)
  if (running(s3.folder) === undefined) {
    const data = join(s3.folder, 'data')
    await mkdir(data, { recursive: true })
    await launch({
      folder: s3.folder,
      program,
      args: ['server', '--address', `127.0.0.1:${s3.port}`, '--quiet', data],
      env: {
        HOME: s3.folder,
        MINIO_ROOT_USER: s3.accessKeyId,
        MINIO_ROOT_PASSWORD: s3.secretAccessKey,
        MINIO_DOMAIN: DOMAIN,
        MINIO_BROWSER: 'off',
        MINIO_UPDATE: 'off',
      },
    })
  }
  await untilReady(s3.folder, () => isLive(s3))
  await makeBucket(s3, BUCKET)
}

/** Ends it with a signal; what it holds stays. */
export const endS3 = (s3: S3, name: NodeJS.Signals): Promise<void> => end(s3.folder, name)
