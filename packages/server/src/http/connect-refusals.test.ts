import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import http2 from 'node:http2';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { create, toBinary } from '@bufbuild/protobuf';
import { GetRoleRequestSchema } from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import { startManagement } from './test-management.ts';

const GET_ROLE = '/scalekit.v1.roles.RolesService/GetRole';
const WEB = 'application/grpc-web+proto';
const LARGE = 1_200_000;

/** A message in the envelope of gRPC. */
function framed(bytes: Uint8Array, length = bytes.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, bytes]);
}
const admin = framed(
  toBinary(GetRoleRequestSchema, create(GetRoleRequestSchema, { roleName: 'admin' })),
);

type Answer = { status: number; body: string };
type Send = (type: string, body: Buffer, headers?: Record<string, string>) => Promise<Answer>;

/** Calls over HTTP/1.1, all over one connection. */
async function oneConnection(t: TestContext): Promise<Send> {
  const { port } = await startManagement(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  return async (type, body, headers = {}) =>
    await new Promise((resolve, reject) => {
      const call = request(
        {
          host: '127.0.0.1',
          port,
          path: GET_ROLE,
          method: 'POST',
          agent,
          signal: AbortSignal.timeout(5000),
          headers: {
            host: 'auth.example.com',
            'content-type': type,
            'content-length': body.length,
            authorization: 'Bearer good',
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              body: Buffer.concat(chunks).toString('latin1'),
            }),
          );
        },
      );
      call.on('error', reject);
      call.end(body);
    });
}

test('a body that is too large does not hold up the next call of its connection (denial of service)', async (t) => {
  const send = await oneConnection(t);
  for (const type of [WEB, 'application/grpc', 'application/proto', 'application/json']) {
    await send(type, framed(Buffer.alloc(LARGE)));
    assert.match((await send(WEB, admin)).body, /grpc-status: 0/, type);
  }
});

test('what the protocol layer refuses over gRPC-Web has its detail too, and the message once', async (t) => {
  const send = await oneConnection(t);
  const table = [
    [framed(Buffer.from([255, 255, 255])), {}, 3],
    [framed(Buffer.from([1]), 9), {}, 3],
    [framed(Buffer.alloc(LARGE)), {}, 8],
    [admin, { 'grpc-encoding': 'zzz' }, 12],
    [admin, { 'grpc-timeout': 'soon' }, 3],
    [admin, { authorization: 'Bearer old' }, 16],
  ] as const;
  for (const [body, headers, code] of table) {
    const answer = await send(WEB, body, headers);
    assert.equal(answer.status, 200);
    assert.match(answer.body, new RegExp(`grpc-status: ${code}\r\n`));
    const details = /grpc-status-details-bin: ([A-Za-z0-9+/=]+)\r\n/.exec(answer.body)?.[1] ?? '';
    assert.match(Buffer.from(details, 'base64').toString('latin1'), /errdetails\.ErrorInfo/);
    const trailer = answer.body.indexOf('\u0080');
    const size = Buffer.from(answer.body.slice(trailer + 1, trailer + 5), 'latin1').readUInt32BE();
    assert.equal(answer.body.length, trailer + 5 + size, 'the envelope says its length');
    assert.equal(answer.body.split('grpc-message').length, 2);
  }
});

test('a message that cannot be read is the error of the caller over Connect', async (t) => {
  const send = await oneConnection(t);
  const { status, body } = await send('application/proto', Buffer.from([255, 255, 255]));
  assert.equal(status, 400);
  assert.equal(JSON.parse(body).code, 'invalid_argument');
});

test('a deadline of centuries is none: the body may take its time', async (t) => {
  const { port } = await startManagement(t);
  const session = http2.connect(`http://127.0.0.1:${port}`);
  t.after(() => session.destroy());
  const call = session.request({
    ':method': 'POST',
    ':path': GET_ROLE,
    ':authority': 'auth.example.com',
    'content-type': 'application/grpc+proto',
    te: 'trailers',
    authorization: 'Bearer good',
    'grpc-timeout': '99999999H',
  });
  const trailers = new Promise<http2.IncomingHttpHeaders>((resolve, reject) => {
    call.on('trailers', resolve);
    call.on('error', reject);
  });
  call.resume().write(admin.subarray(0, 3));
  await pause(100);
  call.end(admin.subarray(3));
  assert.equal((await trailers)['grpc-status'], '0');
});
