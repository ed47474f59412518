/** Every route, as one list. A reader who wants to know what can be asked starts here. Those of datasets come beside it. */
import { ANALYTICS_ROUTES } from './analytics-routes.ts'
import { duckLakeRoutes } from './ducklake-routes.ts'
import { CURRICULUM_ROUTES } from './curriculum-routes.ts'
import { CONSUMER_ROUTES } from './consumer-routes.ts'
import { DIAGNOSTIC_ROUTES } from './diagnostic-routes.ts'
import { EXPLAIN_ROUTES } from './explain-routes.ts'
import { GAP_ROUTES } from './gap-routes.ts'
import { GROUP_ROUTES } from './group-routes.ts'
import { GYM_ROUTES } from './gym-routes.ts'
import { IMAGE_ROUTES } from './image-routes.ts'
import { INGEST_ROUTES } from './ingest-routes.ts'
import { ITEM_ROUTES } from './item-routes.ts'
import { KEEP_ROUTES } from './keep-routes.ts'
import { LAKE_ROUTES } from './lake-routes.ts'
import { operationRoutes } from './operation-routes.ts'
import { QUARANTINE_ROUTES } from './quarantine-routes.ts'
import type { Route } from '#services/query/route.ts'
import { RUN_ROUTES } from './run-routes.ts'
import { SQL_ROUTES } from './sql-routes.ts'
import { TRAJECTORY_ROUTES } from './trajectory-routes.ts'
import { UPKEEP_ROUTES } from './upkeep-routes.ts'
import { VERDICT_ROUTES } from './verdict-routes.ts'
import { verifyRoutes } from './verify-routes.ts'

/** The routes that this program serves. */
export function servedRoutes(): readonly Route[] {
  return [
    ...RUN_ROUTES,
    ...TRAJECTORY_ROUTES,
    ...GROUP_ROUTES,
    ...CONSUMER_ROUTES,
    ...ITEM_ROUTES,
    ...IMAGE_ROUTES,
    ...GYM_ROUTES,
    ...ANALYTICS_ROUTES,
    ...DIAGNOSTIC_ROUTES,
    ...CURRICULUM_ROUTES,
    ...SQL_ROUTES,
    ...LAKE_ROUTES,
    ...KEEP_ROUTES,
    ...duckLakeRoutes(),
    ...GAP_ROUTES,
    ...QUARANTINE_ROUTES,
    ...VERDICT_ROUTES,
    ...EXPLAIN_ROUTES,
    ...UPKEEP_ROUTES,
    ...verifyRoutes(),
    ...operationRoutes(),
  ]
}

/** Those, and the ones that ingest serves on the same port. */
export function describedRoutes(): readonly Route[] {
  return [...INGEST_ROUTES, ...servedRoutes()]
}
