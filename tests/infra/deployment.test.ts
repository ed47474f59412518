/** The files for deployments against the product: what they name must be there, and under that name. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { topicSettings } from '#infra/local/topic.ts'
import { ALL_PROGRAMS, readConfig } from '#services/config.ts'

const root = dirname(fileURLToPath(import.meta.resolve('#infra/compose.yaml')))
const read = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8')
const all = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map((match) => match[1] ?? '')

const rules = read('alerts', 'stepstore.rules.yaml')
const compose = read('compose.yaml')
const manifests = readdirSync(join(root, 'kubernetes'))
  .filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml')
  .map((name) => read('kubernetes', name))

describe('alerts', () => {
  const alerts = all(rules, /- alert: (\w+)/g)

  test('each has a runbook, linked under its own name, and no runbook is left over', () => {
    expect(alerts.length).toBeGreaterThan(5)
    expect(all(read('alerts', 'RUNBOOKS.md'), /^## (\w+)$/gm)).toEqual(alerts)
    expect(all(rules, /runbook_url: RUNBOOKS\.md#(\w+)/g)).toEqual(alerts.map((alert) => alert.toLowerCase()))
  })

  test('ask only for metrics that /metrics has', () => {
    const sources = ['services/query/metrics.ts', 'services/ingest/status.ts'].map((path) =>
      readFileSync(fileURLToPath(import.meta.resolve(`#${path}`)), 'utf8'),
    )
    const named = new Set(all(rules, /\b(stepstore_\w+)\b/g))
    expect(named.size).toBeGreaterThan(3)
    for (const metric of named) expect(sources.join('')).toContain(`'${metric}'`)
  })
})

describe('deployments', () => {
  test('run every program, each by its name', () => {
    const own = ALL_PROGRAMS.toSorted()
    expect(all(manifests.join('---\n'), /args: \[serve, (\w+)\]/g).toSorted()).toEqual(own)
    expect(all(compose, /command: \[serve, (\w+)\]/g).toSorted()).toEqual(own)
  })

  test('set nothing that the settings do not know', () => {
    const environment = Object.fromEntries(
      all(compose, /^ {4,6}((?:[A-Z]+_)*[A-Z]+): /gm)
        .filter((name) => /^(STEPSTORE_|LOG_|STORE_|BLOBS_)/.test(name))
        .map((name) => [name, /PUBLIC_URL$|^STEPSTORE_URL$/.test(name) ? 'http://127.0.0.1:7071' : undefined]),
    )
    expect(Object.keys(environment)).toContain('STEPSTORE_PUBLIC_URL')
    expect(() => readConfig(environment)).not.toThrow()
    expect(() => readConfig({ ...environment, STEPSTORE_PUBLIC_URI: 'x' })).toThrow('STEPSTORE_PUBLIC_URI')
  })

  test('the gym knows where to send what was played, by the name and port of ingest', () => {
    const gym = read('kubernetes', 'gym.yaml')
    const [url = ''] = all(gym, /name: STEPSTORE_URL, value: '([^']+)'/g)
    expect(read('kubernetes', 'ingest.yaml')).toContain(`name: ${new URL(url).hostname}`)
    expect(compose).toContain('STEPSTORE_URL: http://ingest:7070')
    // Policies are held against pods, not against services.
    expect(read('kubernetes', 'network.yaml')).toContain('port: 7070')
    expect(() => readConfig({ PROGRAMS: 'gym', STEPSTORE_URL: url, STEPSTORE_KEY: 'k', HOST: '0.0.0.0' })).not.toThrow()
  })

  test('every workload on Kubernetes is probed, bounded, unprivileged, and has a disruption budget', () => {
    const workloads = manifests
      .join('---\n')
      .split('---\n')
      .filter((text) => /^kind: Deployment$/m.test(text))
    expect(workloads.length).toBe(ALL_PROGRAMS.length)
    for (const workload of workloads) {
      for (const wanted of [
        'enableServiceLinks: false',
        'automountServiceAccountToken: false',
        'runAsNonRoot: true',
        'readOnlyRootFilesystem: true',
        'livenessProbe:',
        'readinessProbe:',
        'limits: { memory:',
        'sizeLimit:',
      ])
        expect(workload).toContain(wanted)
    }
    expect(all(manifests.join('---\n'), /kind: PodDisruptionBudget\nmetadata:\n {2}name: (\w+)/g).toSorted()).toEqual(
      ALL_PROGRAMS.toSorted(),
    )
  })

  test('make the topic with the settings that keep the promises', () => {
    const { 'min.insync.replicas': _, ...settings } = topicSettings(1)
    for (const [name, value] of Object.entries(settings)) expect(compose).toContain(`--config=${name}=${value}`)
    const guide = read('kubernetes', 'README.md')
    const { 'cleanup.policy': _cleanup, 'retention.bytes': _bytes, ...replicated } = topicSettings(2)
    for (const [name, value] of Object.entries(replicated)) expect(guide).toContain(`--config ${name}=${value}`)
  })
})
