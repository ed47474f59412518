import { describe, expect, it } from 'vitest'
import { topicProblems, type TopicSettings } from '#services/log/kafka-settings.ts'

const GOOD: TopicSettings = {
  topic: 'stepstore.events',
  replicas: 3,
  brokers: 3,
  values: {
    'message.timestamp.type': 'LogAppendTime',
    'max.message.bytes': '8388608',
    'min.insync.replicas': '2',
    'unclean.leader.election.enable': 'false',
    'cleanup.policy': 'delete',
    'retention.ms': '604800000',
    'retention.bytes': '-1',
  },
}
const withValue = (name: string, value: string): TopicSettings => ({
  ...GOOD,
  values: { ...GOOD.values, [name]: value },
})

describe('the settings of a topic', () => {
  it('are fine as we make them, with one broker or three, and with retention for ever', () => {
    expect(topicProblems(GOOD)).toEqual([])
    expect(topicProblems({ ...withValue('min.insync.replicas', '1'), replicas: 1, brokers: 1 })).toEqual([])
    expect(topicProblems(withValue('retention.ms', '-1'))).toEqual([])
  })

  it.each([
    ['message.timestamp.type', 'CreateTime', 'LogAppendTime'],
    ['max.message.bytes', '1048588', '8388608'],
    ['min.insync.replicas', '1', '2'],
    ['unclean.leader.election.enable', 'true', 'false'],
    ['cleanup.policy', 'compact,delete', 'delete'],
    ['retention.ms', '3600000', '604800000'],
    ['retention.bytes', '1000000', '-1'],
  ])('%s=%s is named, with the command that mends it', (name, value, better) => {
    const [problem, ...others] = topicProblems(withValue(name, value))
    expect(others).toEqual([])
    expect(problem?.message).toContain(`${name}=${value}`)
    expect(problem?.hint).toContain(`--entity-name stepstore.events --add-config ${name}=${better}`)
  })

  it('too few replicas for the brokers there are', () => {
    expect(topicProblems({ ...GOOD, replicas: 1 }).map(({ message }) => message)).toEqual([
      'the topic stepstore.events has 1 replicas on 3 brokers',
    ])
  })
})
