/** /docs: the reference as one page, made from the OpenAPI document. No scripts, nothing fetched: it works with no network. */
import { DOCS_STYLE } from './docs-style.ts'
import type { Json } from './openapi.ts'
import { QUESTIONS } from './questions.ts'

const METHODS = ['get', 'post', 'put', 'delete'] as const

function escaped(text: unknown): string {
  return String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

/** Text with `code` in backticks. */
function prose(text: unknown): string {
  return escaped(text ?? '')
    .replaceAll(/`([^`]+)`/g, '<code>$1</code>')
    .replaceAll('\n\n', '<br>')
}

const fields = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
const list = (value: unknown): Json[] => (Array.isArray(value) ? value.map(fields) : [])

const REF = '#/components/schemas/'
const anchor = (name: string) => `schema-${name.replaceAll(/[^A-Za-z0-9]+/g, '-')}`

/** A short name for the type of a schema, with links to named ones. */
function typeName(schema: Json): string {
  const { $ref, anyOf, enum: words, items, type } = schema
  if (typeof $ref === 'string' && $ref.startsWith(REF))
    return `<a href="#${anchor($ref.slice(REF.length))}">${escaped($ref.slice(REF.length))}</a>`
  if (Array.isArray(anyOf)) return [...new Set(list(anyOf).map(typeName))].join(' | ')
  if (Array.isArray(words)) return words.map((word) => `<code>${escaped(word)}</code>`).join(' ')
  if ('const' in schema) return `<code>${escaped(JSON.stringify(schema['const']))}</code>`
  if (type === 'array') return `list of ${typeName(fields(items))}`
  if (type === 'object' && 'patternProperties' in schema) return 'object by name'
  return typeof type === 'string' ? escaped(type) : 'any'
}

function descriptionOf(schema: Json): string {
  return prose(
    schema['description'] ??
      list(schema['anyOf']).find((choice) => choice['description'] !== undefined)?.['description'] ??
      '',
  )
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const cells = (row: readonly string[], tag: string) => row.map((cell) => `<${tag}>${cell}</${tag}>`).join('')
  return `<div class="wide"><table><thead><tr>${cells(head, 'th')}</tr></thead><tbody>${rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('')}</tbody></table></div>`
}

function properties(schema: Json): string {
  const required = new Set(Array.isArray(schema['required']) ? schema['required'].map(String) : [])
  return table(
    ['Field', 'Type', 'Meaning'],
    Object.entries(fields(schema['properties'])).map(([name, field]) => {
      const property = fields(field)
      return [
        `<code>${escaped(name)}</code>${required.has(name) ? '' : ' <small>optional</small>'}`,
        typeName(property),
        descriptionOf(property),
      ]
    }),
  )
}

/** Parameters; the operators of a comparable one are told in its own row. */
function parameters(given: readonly Json[]): string {
  const names = new Set(given.map(({ name }) => String(name)))
  const operators = (name: string) =>
    ['gte', 'lte', 'gt', 'lt', 'ne'].filter((operator) => names.has(`${name}_${operator}`))
  const isOperator = (name: string) =>
    /_(gte|lte|gt|lt|ne)$/.test(name) && names.has(name.replace(/_(gte|lte|gt|lt|ne)$/, ''))
  return table(
    ['Parameter', 'Type', 'Meaning'],
    given
      .filter(({ name }) => !isOperator(String(name)))
      .map((parameter) => {
        const name = String(parameter['name'])
        const schema = fields(parameter['schema'])
        const marks = [
          parameter['in'] === 'path' ? 'path' : '',
          parameter['required'] === true && parameter['in'] !== 'path' ? 'needed' : '',
        ].filter((mark) => mark !== '')
        const standard = schema['default'] === undefined ? '' : ` Default <code>${escaped(schema['default'])}</code>.`
        const also = operators(name)
        const more =
          also.length === 0
            ? ''
            : ` <small>also ${also.map((operator) => `<code>_${operator}</code>`).join(' ')}</small>`
        return [
          `<code>${escaped(name)}</code>${marks.map((mark) => ` <small>${mark}</small>`).join('')}`,
          typeName(schema),
          `${prose(parameter['description'])}${standard}${more}`,
        ]
      }),
  )
}

function answers(responses: Json): string {
  const told = (status: string) => {
    const response = fields(responses[status])
    const contents = Object.entries(fields(response['content'])).map(([type, content]) => {
      const schema = fields(fields(content)['schema'])
      return Object.keys(schema).length === 0
        ? `<code>${escaped(type)}</code>`
        : `${typeName(pageRow(schema))} <small>${escaped(type)}</small>`
    })
    return [
      `<span class="status s${status[0]}">${status}</span>`,
      prose(response['description']),
      contents.join('<br>'),
    ]
  }
  return table(['Status', 'Meaning', 'Body'], Object.keys(responses).sort().map(told))
}

/** Lists are told by their rows. */
function pageRow(schema: Json): Json {
  const rows = fields(fields(schema['properties'])['rows'])
  return rows['type'] === 'array' && '$ref' in fields(rows['items']) ? rows : schema
}

function operationSection(path: string, method: string, operation: Json): string {
  const id = escaped(operation['operationId'])
  const shownPath = escaped(path).replaceAll(/\{[^}]+\}/g, '<i>$&</i>')
  const body = Object.entries(fields(fields(operation['requestBody'])['content'])).map(([type, content]) => {
    const schema = fields(fields(content)['schema'])
    return `<li><code>${escaped(type)}</code>${Object.keys(schema).length === 0 ? '' : `: ${typeName(schema)}`}</li>`
  })
  return `<section class="operation" id="${id}"><h3><span class="method ${method}">${method.toUpperCase()}</span> <code>${shownPath}</code></h3>
<p class="summary">${prose(operation['summary'])}.</p><p>${prose(operation['description'])}</p>
${body.length === 0 ? '' : `<p>Body:</p><ul>${body.join('')}</ul>`}
${parameters(list(operation['parameters']))}
<details><summary>Answers</summary>${answers(fields(operation['responses']))}</details></section>`
}

interface Operation {
  readonly path: string
  readonly method: string
  readonly operation: Json
  readonly tag: string
}

function operations(document: Json): Operation[] {
  return Object.entries(fields(document['paths'])).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = fields(fields(item)[method])
      return 'operationId' in operation
        ? [{ path, method, operation, tag: String((operation['tags'] as unknown[])[0]) }]
        : []
    }),
  )
}

function schemaSections(document: Json): { events: string; others: string; names: string[] } {
  const schemas = Object.entries(fields(fields(document['components'])['schemas'])).map(
    ([name, schema]) => [name, fields(schema)] as const,
  )
  const section = ([name, schema]: readonly [string, Json]) => {
    const examples = Array.isArray(schema['examples']) ? schema['examples'] : []
    return `<section class="schema" id="${anchor(name)}"><h3><code>${escaped(name)}</code></h3><p>${descriptionOf(schema)}</p>${properties(schema)}
${examples.map((example) => `<pre>${escaped(JSON.stringify(example, null, 2))}</pre>`).join('')}</section>`
  }
  const isEvent = ([name]: readonly [string, Json]) => name.includes('.')
  const events = schemas.filter(isEvent)
  return {
    events: events.map(section).join(''),
    others: schemas
      .filter((entry) => !isEvent(entry))
      .map(section)
      .join(''),
    names: events.map(([name]) => name),
  }
}

/** What people ask, with the requests that answer it; those that a browser can send are links. */
function questions(): string {
  const shown = (request: string) =>
    request.startsWith('GET ')
      ? `<a href="${escaped(request.slice(4))}"><code>${escaped(request)}</code></a>`
      : `<code>${escaped(request)}</code>`
  const rows = QUESTIONS.map(({ about, asks, requests }) => [
    escaped(about),
    escaped(asks),
    requests.map(shown).join('<br>'),
  ])
  return `<h2 id="questions">Questions</h2><p>Each with the request that answers it; <code>teach</code> and <code>grpo</code> stand for runs of yours.</p>${table(['About', 'Question', 'Request'], rows)}`
}

/** The page. */
export function docsPage(document: Json): string {
  const all = operations(document)
  const tags = [...new Set(all.map(({ tag }) => tag))]
  const { events, others, names } = schemaSections(document)
  const server = escaped(list(document['servers'])[0]?.['url'] ?? '')
  const navigation = tags.map((tag) => {
    const links = all
      .filter((entry) => entry.tag === tag)
      .map(
        ({ path, method, operation }) =>
          `<li><a href="#${escaped(operation['operationId'])}"><b class="${method}">${method}</b> ${escaped(path.replace('/v1/', ''))}</a></li>`,
      )
    return `<details open><summary>${escaped(tag)}</summary><ul>${links.join('')}</ul></details>`
  })
  const eventLinks = names.map((name) => `<li><a href="#${anchor(name)}">${escaped(name)}</a></li>`).join('')
  const sections = tags.map(
    (tag) =>
      `<h2 id="tag-${escaped(tag)}">${escaped(tag)}</h2>${all
        .filter((entry) => entry.tag === tag)
        .map(({ path, method, operation }) => operationSection(path, method, operation))
        .join('')}`,
  )
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>Stepstore API</title><style>${DOCS_STYLE}</style></head><body>
<nav aria-label="Contents"><a class="home" href="#top">Stepstore</a><a href="#questions">Questions</a>${navigation.join('')}<details open><summary>Events</summary><ul>${eventLinks}</ul></details><a href="#schemas">Schemas</a></nav>
<main id="top"><header><h1>Stepstore API</h1><p>${prose(fields(document['info'])['description'])}</p>
<ul><li>Every read takes <code>after=</code>: a position that the answer must include. Ingest answers with one; so does every read, in <code>Stepstore-Position</code>.</li>
<li>Lists answer <code>{"rows": […], "next": …}</code>; send <code>next</code> back as <code>cursor</code>.</li>
<li>Ids in paths are URL-encoded. An unknown parameter is an error that names the nearest known one.</li></ul>
<pre>curl '${server}/v1/runs?after=latest'</pre><p>The same as data: <a href="/openapi.json">/openapi.json</a>.</p></header>
${questions()}${sections.join('')}<h2 id="events">Events</h2>${events}<h2 id="schemas">Schemas</h2>${others}</main></body></html>`
}
