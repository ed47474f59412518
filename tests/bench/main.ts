/**
 * `npm run bench`: how fast this is, as ratios against a baseline measured in the same run (the middle of three). Not a
 * test: machines differ. `npm run bench -- --only pipeline --steps 1000000 --rounds 1`, `npm run bench -- --quick`.
 */
import { parseArgs } from 'node:util'
import { analyticsFigures } from './analytics.ts'
import { batchFigures, type Scale, singleFigures } from './ingest.ts'
import { datasetFigures } from './datasets.ts'
import { FLAT_STEPS, flatFigures } from './flat.ts'
import { gymFigures } from './gym.ts'
import { kafkaFigures } from './kafka.ts'
import { pipelineFigures } from './pipeline.ts'
import { type Figure, say, table } from './report.ts'

const PARTS: Readonly<Record<string, (scale: Scale) => Promise<Figure[]>>> = {
  ingest: batchFigures,
  singles: singleFigures,
  pipeline: pipelineFigures,
  datasets: datasetFigures,
  analytics: analyticsFigures,
  gym: gymFigures,
  kafka: kafkaFigures,
  flat: (scale) => flatFigures(values.steps === undefined && !values.quick ? { ...scale, steps: FLAT_STEPS } : scale),
}

const { values } = parseArgs({
  options: {
    // Kafka needs Java, and is asked for by name; so is flat, which takes half an hour besides.
    only: { type: 'string', default: 'ingest,singles,pipeline,datasets,analytics,gym' },
    steps: { type: 'string' },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    large: { type: 'boolean', default: false },
    trajectories: { type: 'string' },
  },
})
const scale: Scale = {
  rounds: Number(values.rounds ?? (values.quick ? 1 : 3)),
  steps: Number(values.steps ?? (values.quick ? 20_000 : 100_000)),
  large: values.large,
  quick: values.quick,
  ...(values.trajectories === undefined ? {} : { trajectories: values.trajectories.split(',').map(Number) }),
}
const figures: Figure[] = []
for (const name of values.only.split(',')) {
  const part = PARTS[name]
  if (part === undefined || !(scale.steps > 0) || !(scale.rounds > 0)) {
    say(
      `usage: npm run bench -- [--only ${Object.keys(PARTS).join(',')}] [--steps 100000] [--rounds 3] [--quick] [--large] [--trajectories 300000,…]`,
    )
    process.exit(2)
  }
  figures.push(...(await part(scale)))
}
say(`\n${table(figures)}`)
