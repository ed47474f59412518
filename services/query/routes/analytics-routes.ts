/** /v1/analytics: statistics over the trajectories of a run. */
import type { Route } from '#services/query/route.ts'
import { GROUP_STATISTICS_ROUTES } from './analytics-groups.ts'
import { REWARD_ROUTES } from './analytics-rewards.ts'
import { NUMBER_ROUTES } from './analytics-verify.ts'
import { TRAINING_ROUTES } from './analytics-training.ts'

export const ANALYTICS_ROUTES: readonly Route[] = [
  ...REWARD_ROUTES,
  ...GROUP_STATISTICS_ROUTES,
  ...TRAINING_ROUTES,
  ...NUMBER_ROUTES,
]
