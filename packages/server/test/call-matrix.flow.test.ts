import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { type TestContext, test } from 'node:test';
import {
  create,
  type DescField,
  type DescMethod,
  fromBinary,
  getOption,
  type Message,
  toBinary,
  toJsonString,
} from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import type { ConnectError } from '@connectrpc/connect';
import { findTrailerError } from '@connectrpc/connect/protocol-grpc';
import { http } from '@gatewarden/contract/google/api/annotations_pb';
import { bindingsOf } from '../src/http/rest-bindings.ts';
import { services } from '../src/rpcs.ts';
import { startTestGatewarden } from '../src/testing.ts';
import { elsewhere, everyCaller, type Headers } from './every-caller.ts';

const KINDS = [
  'none',
  'client',
  'tokens',
  'owner',
  'admin',
  'viewer',
  'member',
  'guest',
  'portal',
] as const;
type Kind = (typeof KINDS)[number];
type Cell = 'yes' | 'own' | '7' | '16';
type Row = { readonly paths: readonly string[]; readonly cells: ReadonlyMap<Kind, Cell> };

/** The tables of docs/contract.md, by service and method. */
function documented(): Map<string, Row> {
  const rows = new Map<string, Row>();
  let service = '';
  const text = readFileSync(new URL('../../../docs/contract.md', import.meta.url), 'utf8');
  for (const line of text.split('\n')) {
    service = /^### (\S+)$/.exec(line)?.[1] ?? service;
    const row = /^\| (\w+)(?: \([^)]*\))? \| (`.*`) \|((?: (?:yes|own|7|16) \|){9})$/.exec(line);
    if (!row || service === '') continue;
    const paths = (row[2] ?? '').split('<br>').map((path) => path.replaceAll('`', ''));
    const words = (row[3] ?? '').split('|').map((word) => word.trim() as Cell); // one of the four: the expression says so
    rows.set(`${service}/${row[1]}`, {
      paths,
      cells: new Map(KINDS.map((kind, index) => [kind, words[index] ?? '16'])),
    });
  }
  return rows;
}

/** What came back: gRPC's code, and everything that could tell two answers apart. */
type Seen = { readonly code: number; readonly answer: string };
type Send = (headers: Headers, message?: Message) => Promise<Seen>;

const DETAIL = 'scalekit.v1.errdetails.ErrorInfo';

function typesOf(error: ConnectError | undefined): string[] {
  return (error?.details ?? []).map((detail) => ('type' in detail ? detail.type : ''));
}

function overGrpc(session: http2.ClientHttp2Session, method: DescMethod): Send {
  const path = `/${method.parent.typeName}/${method.name}`;
  return async (headers, message = create(method.input)) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc+proto',
      te: 'trailers',
      ...headers,
    });
    const seen: http2.IncomingHttpHeaders = {};
    stream.on('response', (received) => Object.assign(seen, received));
    stream.on('trailers', (received) => Object.assign(seen, received));
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    const body = toBinary(method.input, message);
    const frame = Buffer.alloc(5);
    frame.writeUInt32BE(body.length, 1);
    stream.end(Buffer.concat([frame, body]));
    await new Promise((resolve, reject) => stream.once('close', resolve).once('error', reject));
    const code = Number(seen['grpc-status']);
    const details = String(seen['grpc-status-details-bin'] ?? '');
    const error = findTrailerError(
      new Headers({ 'grpc-status': String(code), 'grpc-status-details-bin': details }),
    );
    assert.deepEqual([error?.code ?? 0, typesOf(error)], [code, code === 0 ? [] : [DETAIL]], path);
    const output = code === 0 ? Buffer.concat(chunks).subarray(5) : undefined;
    const answer = output
      ? toJsonString(method.output, fromBinary(method.output, output))
      : String(seen['grpc-message']);
    return { code, answer };
  };
}

const NAMES = ['canceled', 'unknown', 'invalid_argument', 'deadline_exceeded', 'not_found'];
NAMES.push('already_exists', 'permission_denied', 'resource_exhausted', 'failed_precondition');
NAMES.push('aborted', 'out_of_range', 'unimplemented', 'internal', 'unavailable', 'data_loss');
NAMES.push('unauthenticated');

function overConnect(url: string): Send {
  return async (headers) => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: '{}',
    });
    const body = await answer.json();
    if (answer.ok) return { code: 0, answer: '' };
    assert.equal(body.details?.[0]?.type, DETAIL, url);
    return { code: NAMES.indexOf(body.code) + 1, answer: body.message };
  };
}

const HTTP = new Map([
  [7, 403],
  [12, 501],
  [16, 401],
]);

function overRest(url: string, verb: string): Send {
  return async (headers) => {
    const answer = await fetch(url, { method: verb, headers });
    const body = await answer.json();
    if (answer.ok) return { code: 0, answer: '' };
    assert.equal(body.details?.[0]?.['@type'], `type.googleapis.com/${DETAIL}`, url);
    assert.equal(answer.status, HTTP.get(body.code) ?? answer.status, url);
    return { code: body.code, answer: body.message };
  };
}

function pathsOf(method: DescMethod): string[] {
  const rule = getOption(method, http);
  return [rule, ...rule.additionalBindings].map(
    ({ pattern }) => `${(pattern.case ?? '').toUpperCase()} ${pattern.value}`,
  );
}

type Things = Readonly<Record<'organization' | 'user' | 'resource' | 'client', string>>;

/** Which thing a field of a request names, by its name. */
function thingOf(method: DescMethod, { name }: DescField): keyof Things | undefined {
  if (name === 'organization_id' || name === 'org_id') return 'organization';
  if (name === 'user_id') return 'user';
  if (name === 'resource_id' || name === 'res_id') return 'resource';
  if (name === 'client_id') return 'client';
  if (name !== 'id') return undefined;
  if (method.parent.name === 'OrganizationService') return 'organization';
  return method.parent.name === 'UserService' ? 'user' : undefined;
}

/** A request that names these things and nothing else; undefined when it has no place for any of them. */
function about(method: DescMethod, things: Partial<Things>): Message | undefined {
  const message = create(method.input);
  const request = reflect(method.input, message);
  let named = false;
  for (const field of method.input.fields) {
    const thing = thingOf(method, field);
    const id = thing && things[thing];
    if (id === undefined || field.fieldKind !== 'scalar') continue;
    request.set(field, id);
    named = true;
  }
  return named ? message : undefined;
}

/** Kinds of callers that belong to one organization. */
const OF_ONE: ReadonlySet<Kind> = new Set(['member', 'guest', 'portal'] as const);

const UNKNOWN: Things = {
  organization: 'org_100000000000000001',
  user: 'usr_100000000000000001',
  resource: 'res_100000000000000001',
  client: 'm2m_100000000000000001',
};

/** Everything that differs from the tables, so that one run says it all. */
const differences: string[] = [];

/** What may happen to a call: refused with a code, or let in, which then is any code but these. */
function check(seen: Seen, expected: 'in' | number, what: string): void {
  const fits = expected === 'in' ? ![7, 12, 13, 16].includes(seen.code) : seen.code === expected;
  if (!fits) differences.push(`${what}: ${seen.code} ${seen.answer}, expected ${expected}`);
}

/** Two answers that must not be told apart, whichever ids they are about. */
function same(a: Seen, b: Seen, what: string): void {
  const [left, right] = [a, b].map(({ code, answer }) =>
    `${code} ${answer}`.replace(/[a-z0-9]+_[0-9]{15,19}/g, 'ID'),
  );
  if (left !== right) differences.push(`${what}: ${left}, and of unknown things ${right}`);
}

type World = Awaited<ReturnType<typeof everyCaller>> & { readonly foreign: Things };

/** One method as every kind of caller over gRPC. */
async function crawl(method: DescMethod, row: Row, inside: 'in' | 12, send: Send, world: World) {
  const { kinds, tokens, own, other, foreign } = world;
  const callers: [Kind, string, Headers][] = [
    ...Object.entries(tokens).map(([name, headers]): [Kind, string, Headers] => [
      'tokens',
      name,
      headers,
    ]),
    ...Object.entries(kinds).map(([kind, headers]): [Kind, string, Headers] => [
      kind as Kind, // the keys of `kinds` are
      kind,
      headers,
    ]),
  ];
  const one = async ([kind, who, headers]: (typeof callers)[number]): Promise<void> => {
    const cell = row.cells.get(kind);
    const what = `${method.name} as ${who}`;
    const inOrganization = about(method, { organization: own.organization }) !== undefined;
    const self = kind === 'guest' ? other.user : own.user;
    const user = inOrganization ? own.colleague : self;
    const mine = about(method, { organization: own.organization, user });
    if (cell === '7' || cell === '16') {
      check(await send(headers), Number(cell), what);
      if (mine && OF_ONE.has(kind)) check(await send(headers, mine), 7, `${what}, own things`);
    } else if (cell === 'own') {
      assert.ok(mine, `${what} has nothing of its own to name`);
      check(await send(headers, mine), inside, `${what}, own things`);
      if (inside === 12) return;
      const stranger = { organization: other.organization, user: own.colleague };
      const unknown = await send(headers, about(method, UNKNOWN));
      check(unknown, 5, `${what}, unknown things`);
      same(await send(headers, about(method, stranger)), unknown, `${what}, another's things`);
      same(await send(headers, about(method, foreign)), unknown, `${what}, another environment's`);
    } else {
      check(await send(headers), inside, what);
    }
  };
  // At once: each caller's answers are the caller's alone.
  await Promise.all(callers.map(one));
  // Whoever is let in everywhere is so in one environment.
  const unknown = about(method, UNKNOWN);
  if (inside === 12 || !unknown || row.cells.get('client') !== 'yes') return;
  const first = await send(kinds.client, unknown);
  const second = await send(kinds.client, about(method, foreign));
  same(second, first, `${method.name} as client, another environment's things`);
}

async function crawlAll(t: TestContext): Promise<Map<string, Row>> {
  const gatewarden = await startTestGatewarden(t);
  const world = { ...(await everyCaller(gatewarden)), foreign: await elsewhere(gatewarden) };
  const session = http2.connect(gatewarden.origin);
  t.after(() => session.destroy());
  const rows = documented();
  const bindings = bindingsOf(services);
  for (const { desc, rpcs } of services) {
    for (const method of desc.methods) {
      const name = `${desc.typeName}/${method.name}`;
      const row = rows.get(name);
      assert.ok(row, `${name} is in docs/contract.md`);
      assert.deepEqual(row.paths, pathsOf(method), name);
      const inside = rpcs.has(method.localName) ? 'in' : 12;
      const rest = bindings.filter((binding) => binding.method === method && !binding.elsewhere);
      const ways = new Map<string, Send>([
        ['Connect', overConnect(`${gatewarden.origin}/${name}`)],
        ...rest.map(({ verb, template }): [string, Send] => {
          const path = template.replace(/\{[^}]+\}/g, '1').replace('**', 'any/thing');
          return [`${verb} ${template}`, overRest(`${gatewarden.origin}${path}`, verb)];
        }),
      ]);
      for (const [way, send] of ways) {
        for (const kind of ['none', 'client'] as const) {
          const cell = row.cells.get(kind);
          const expected = cell === 'yes' ? inside : Number(cell);
          check(await send(world.kinds[kind]), expected, `${name} over ${way} as ${kind}`);
        }
      }
      await crawl(method, row, inside, overGrpc(session, method), world);
      rows.delete(name);
    }
  }
  return rows;
}

test('every method lets in whom docs/contract.md says and nobody else, for things of nobody else, over gRPC, Connect and REST (AS-149, SSO-53)', async (t) => {
  const left = await crawlAll(t);
  assert.deepEqual([...left.keys()], [], 'documented, but not served');
  assert.deepEqual(differences, []);
});
