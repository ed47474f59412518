/** /v1/recipes: filters that are saved under a name, and versions of them. */
import { RecipeBody, RecipeRow, RecipeVersions } from '#schemas/http-recipes.ts'
import { listOf } from '#schemas/http.ts'
import type { Datasets } from '#services/datasets/datasets.ts'
import { canonicalQuery, checkRecipeName } from '#services/datasets/request.ts'
import { RECIPE_NAME, recipeReference, type SavedRecipe } from '#services/datasets/saved-recipes.ts'
import { Problem } from '#services/problem.ts'
import { LIST_PARAMETERS, page, parseCursor } from '#services/query/cursor.ts'
import { DATASET_PARAMETERS, datasetRequest } from '#services/query/dataset-parameters.ts'
import type { QueryDeps } from '#services/query/deps.ts'
import { badMember, jsonBody, queryMember } from '#services/query/json-body.ts'
import { parseParameters } from '#services/query/parameters.ts'
import { jsonAnswer } from '#services/query/reading.ts'
import { route, type Call, type Route } from '#services/query/route.ts'

const LIST = 'recipes'
const tag = 'Datasets'
const EXAMPLE = '{"name": "charts", "recipe": "sft", "filter": "family=chart_qa&correct=true"}'
const DESCRIPTION_MAX = 2000
/** What says which state is read, or how: a recipe is the same whatever these are. */
const NOT_SAVED = ['snapshot', 'after', 'wait', 'format', 'explain']

const shown = (deps: QueryDeps, saved: SavedRecipe) => ({
  ...saved,
  url: `${deps.publicUrl}/v1/datasets/@${saved.name}:${saved.version}.parquet`,
})

/** What the body asks, as the canonical query that is saved. */
function savedOf(body: Readonly<Record<string, unknown>>, logId: string) {
  const { name, recipe: given, description = '' } = body
  if (typeof name !== 'string' || !RECIPE_NAME.test(name))
    throw badMember('name', 'name is 1 to 64 letters, digits, _ and -', `send ${EXAMPLE}`)
  if (typeof given !== 'string') throw badMember('recipe', 'recipe is the name of one, such as sft', `send ${EXAMPLE}`)
  if (typeof description !== 'string' || description.length > DESCRIPTION_MAX)
    throw badMember('description', `description is a text of at most ${DESCRIPTION_MAX} characters`, 'make it shorter')
  const filter = queryMember(body, 'filter')
  for (const parameter of NOT_SAVED) {
    if (filter.has(parameter))
      throw badMember('filter', `a recipe does not say ${parameter}: whoever reads it does`, `leave ${parameter} out`)
  }
  const recipe = checkRecipeName(given)
  const request = datasetRequest(`${recipe}.parquet`, parseParameters(DATASET_PARAMETERS, filter), logId)
  return { name, recipe, query: canonicalQuery(request), description }
}

async function answerSave(datasets: Datasets, { deps, request }: Call<Record<string, never>>): Promise<Response> {
  const body = await jsonBody(request, { members: ['name', 'recipe', 'filter', 'description'], example: EXAMPLE })
  const { saved, created } = await datasets.recipes.save(savedOf(body, deps.log.id))
  return jsonAnswer(deps, shown(deps, saved), new Map(), created ? 201 : 200)
}

async function answerOne(datasets: Datasets, { deps, path }: Call<Record<string, never>>): Promise<Response> {
  const given = path('name')
  const reference = recipeReference(given.startsWith('@') ? given : `@${given}`)
  if (reference === undefined || reference.extension !== '')
    throw new Problem('not_found', `${JSON.stringify(given.slice(0, 80))} is no saved recipe`, {
      hint: 'write name, or name:3 for its third version',
    })
  const rows =
    reference.version === undefined
      ? await datasets.recipes.versions(reference.name)
      : [await datasets.recipes.find(reference.name, reference.version)]
  return jsonAnswer(deps, { rows: rows.map((saved) => shown(deps, saved)) }, new Map())
}

async function answerList(datasets: Datasets, { deps, query }: Call<typeof LIST_PARAMETERS>): Promise<Response> {
  const key = parseCursor(LIST, 1, query.cursor)
  const rows = await datasets.recipes.list(key === undefined ? '' : String(key[0]), query.limit + 1)
  const found = page(LIST, rows, query.limit, ({ name }) => [name])
  return jsonAnswer(deps, { ...found, rows: found.rows.map((saved) => shown(deps, saved)) }, new Map())
}

/** The routes of saved recipes. */
export function recipeRoutes(datasets: Datasets): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/recipes',
      tag,
      summary: 'Save a filter under a name',
      detail:
        'Everything that a dataset takes but its snapshot and format. `/v1/datasets/@name.parquet` reads the newest version, `@name:3` its third. What the newest version says already makes no new one.',
      parameters: {},
      requestTypes: { 'application/json': RecipeBody },
      problems: ['invalid', 'not_found', 'too_large', 'unsupported_media_type'],
      answers: [
        { status: 201, description: 'The new version.', schema: RecipeRow },
        { status: 200, description: 'The newest version, which says the same.', schema: RecipeRow },
      ],
      handle: (call) => answerSave(datasets, call),
    }),
    route({
      path: '/v1/recipes',
      tag,
      summary: 'List saved recipes',
      detail: 'The newest version of each, in order of name.',
      parameters: LIST_PARAMETERS,
      answers: [{ status: 200, description: 'A page of recipes.', schema: listOf(RecipeRow) }],
      handle: (call) => answerList(datasets, call),
    }),
    route({
      path: '/v1/recipes/{name}',
      tag,
      summary: 'Read the versions of a saved recipe',
      pathParameters: { name: 'The name; with a version after a colon that one alone.' },
      parameters: {},
      problems: ['not_found'],
      answers: [{ status: 200, description: 'Its versions.', schema: RecipeVersions }],
      handle: (call) => answerOne(datasets, call),
    }),
  ]
}
