import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { type TestContext, test } from 'node:test';
import { type DescMethod, getOption } from '@bufbuild/protobuf';
import type { ConnectError } from '@connectrpc/connect';
import { findTrailerError } from '@connectrpc/connect/protocol-grpc';
import { http } from '@gatewarden/contract/google/api/annotations_pb';
import { bindingsOf } from '../src/http/rest-bindings.ts';
import { services } from '../src/rpcs.ts';
import { startTestGatewarden } from '../src/testing.ts';
import { managementToken } from './management-api.ts';

type Word = 'open' | 'client' | 'other' | 'nobody';
type Row = { readonly paths: readonly string[]; readonly word: Word };

/** The tables of docs/contract.md, by service and method. */
function documented(): Map<string, Row> {
  const rows = new Map<string, Row>();
  let service = '';
  const text = readFileSync(new URL('../../../docs/contract.md', import.meta.url), 'utf8');
  for (const line of text.split('\n')) {
    service = /^### (\S+)$/.exec(line)?.[1] ?? service;
    const row = /^\| (\w+)(?: \([^)]*\))? \| (`.*`) \| (open|client|other|nobody) \|$/.exec(line);
    if (!row) continue;
    const paths = (row[2] ?? '').split('<br>').map((path) => path.replaceAll('`', ''));
    rows.set(`${service}/${row[1]}`, { paths, word: row[3] as Word }); // one of the four: the expression says so
  }
  return rows;
}

/** gRPC code of a call with an empty request; every error has its detail. */
type Send = (authorization: string | undefined) => Promise<number>;

const DETAIL = 'scalekit.v1.errdetails.ErrorInfo';

function typesOf(error: ConnectError | undefined): string[] {
  return (error?.details ?? []).map((detail) => ('type' in detail ? detail.type : ''));
}

function overGrpc(session: http2.ClientHttp2Session, path: string): Send {
  return async (authorization) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc+proto',
      te: 'trailers',
      ...(authorization === undefined ? {} : { authorization }),
    });
    const seen: http2.IncomingHttpHeaders = {};
    stream.on('response', (headers) => Object.assign(seen, headers));
    stream.on('trailers', (headers) => Object.assign(seen, headers));
    stream.resume().end(Buffer.alloc(5));
    await new Promise((resolve, reject) => stream.once('close', resolve).once('error', reject));
    const code = Number(seen['grpc-status']);
    const details = String(seen['grpc-status-details-bin'] ?? '');
    const error = findTrailerError(
      new Headers({ 'grpc-status': String(code), 'grpc-status-details-bin': details }),
    );
    assert.deepEqual([error?.code ?? 0, typesOf(error)], [code, code === 0 ? [] : [DETAIL]], path);
    return code;
  };
}

const NAMES = ['canceled', 'unknown', 'invalid_argument', 'deadline_exceeded', 'not_found'];
NAMES.push('already_exists', 'permission_denied', 'resource_exhausted', 'failed_precondition');
NAMES.push('aborted', 'out_of_range', 'unimplemented', 'internal', 'unavailable', 'data_loss');
NAMES.push('unauthenticated');

function overConnect(url: string): Send {
  return async (authorization) => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(authorization === undefined ? {} : { authorization }),
      },
      body: '{}',
    });
    const body = await answer.json();
    if (answer.ok) return 0;
    assert.equal(body.details?.[0]?.type, DETAIL, url);
    return NAMES.indexOf(body.code) + 1;
  };
}

const HTTP = new Map([
  [7, 403],
  [12, 501],
  [16, 401],
]);

function overRest(url: string, verb: string): Send {
  return async (authorization) => {
    const answer = await fetch(url, {
      method: verb,
      headers: authorization === undefined ? {} : { authorization },
    });
    const body = await answer.json();
    if (answer.ok) return 0;
    assert.equal(body.details?.[0]?.['@type'], `type.googleapis.com/${DETAIL}`, url);
    assert.equal(answer.status, HTTP.get(body.code) ?? answer.status, url);
    return body.code;
  };
}

function pathsOf(method: DescMethod): string[] {
  const rule = getOption(method, http);
  return [rule, ...rule.additionalBindings].map(
    ({ pattern }) => `${(pattern.case ?? '').toUpperCase()} ${pattern.value}`,
  );
}

/** What may happen to a call: refused with a code, or let in, which then is any code but these. */
function fits(code: number, expected: 'let in' | number): boolean {
  return expected === 'let in' ? ![7, 12, 16].includes(code) : code === expected;
}

async function crawl(t: TestContext): Promise<Map<string, Row>> {
  const gatewarden = await startTestGatewarden(t);
  const token = `Bearer ${await managementToken(gatewarden)}`;
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
      const inside = rpcs.has(method.localName) ? 'let in' : 12;
      const anonymous = row.word === 'open' ? inside : 16;
      const client = row.word === 'open' || row.word === 'client' ? inside : 7;
      const rest = bindings.filter((binding) => binding.method === method && !binding.elsewhere);
      const ways = new Map<string, Send>([
        ['gRPC', overGrpc(session, `/${name}`)],
        ['Connect', overConnect(`${gatewarden.origin}/${name}`)],
        ...rest.map(({ verb, template }): [string, Send] => {
          const path = template.replace(/\{[^}]+\}/g, '1').replace('**', 'any/thing');
          return [`${verb} ${template}`, overRest(`${gatewarden.origin}${path}`, verb)];
        }),
      ]);
      for (const [way, send] of ways) {
        const without = await send(undefined);
        assert.ok(fits(without, anonymous), `${name} over ${way} without a token: ${without}`);
        const withToken = await send(token);
        assert.ok(fits(withToken, client), `${name} over ${way} with a client's: ${withToken}`);
      }
      rows.delete(name);
    }
  }
  return rows;
}

test('every method lets in whom docs/contract.md says, over gRPC, Connect and REST, and tells others 16 or 7', async (t) => {
  const left = await crawl(t);
  assert.deepEqual([...left.keys()], [], 'documented, but not served');
});
