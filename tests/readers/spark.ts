/** What tests with Spark need: its packages, and the jars with which it reads Delta. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pythonWith } from '#tests/support/python.ts'

/** A Python with Spark. */
export const sparkPython = (): Promise<string> => pythonWith(join(import.meta.dirname, 'requirements-spark.txt'))

/** The folder with what Spark needs to read Delta, fetched the first time. Needs `mvn` and Java 17. */
export async function sparkJars(): Promise<string> {
  const cache = join(homedir(), '.cache', 'stepstore')
  const jars = join(cache, 'spark-delta-4.0.0')
  if (existsSync(jars)) return jars
  await mkdir(cache, { recursive: true })
  const fetched = await mkdtemp(join(cache, 'fetching-'))
  try {
    await promisify(execFile)('mvn', [
      '-q',
      '-B',
      '-f',
      join(import.meta.dirname, 'spark-pom.xml'),
      'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies',
      `-DoutputDirectory=${fetched}`,
    ])
    await rename(fetched, jars)
  } catch (error) {
    await rm(fetched, { recursive: true, force: true })
    if (!existsSync(jars)) throw error
  }
  return jars
}
