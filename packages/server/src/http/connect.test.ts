import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { test } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { AnySchema, anyUnpack } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient, type Interceptor } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { ErrorInfoSchema } from '@gatewarden/contract/scalekit/v1/errdetails/errdetails_pb';
import {
  GetRoleRequestSchema,
  RolesService,
} from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import { type Slice, service } from './calls.ts';
import { post, type RawAnswer, startManagement } from './test-management.ts';

const GET_ROLE = '/scalekit.v1.roles.RolesService/GetRole';
const grpc = {
  'content-type': 'application/grpc+proto',
  te: 'trailers',
  authorization: 'Bearer good',
};

/** A message in gRPC's envelope. */
function framed(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}
const getRole = (roleName: string): Buffer =>
  framed(toBinary(GetRoleRequestSchema, create(GetRoleRequestSchema, { roleName })));

/** Reads google.rpc.Status by hand, as clients with their own descriptors do: 1 code, 2 message, 3 details. */
function statusOf(answer: RawAnswer): {
  code: number;
  message: string;
  info: { errorCode: string; violations: string[]; requestId: string };
} {
  const all = { ...answer.headers, ...answer.trailers };
  const details = all['grpc-status-details-bin'];
  assert.equal(typeof details, 'string', 'every error has grpc-status-details-bin');
  const bytes = Buffer.from(String(details), 'base64');
  let at = 0;
  const varint = (): number => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = bytes[at++] ?? 0;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
      shift += 7;
    }
  };
  let [code, message] = [0, ''];
  const anys: Uint8Array[] = [];
  while (at < bytes.length) {
    const field = varint() >> 3;
    if (field === 1) code = varint();
    else {
      const length = varint();
      const value = bytes.subarray(at, at + length);
      at += length;
      if (field === 2) message = value.toString();
      else anys.push(value);
    }
  }
  const first = fromBinary(AnySchema, anys[0] ?? new Uint8Array());
  assert.equal(first.typeUrl, 'type.googleapis.com/scalekit.v1.errdetails.ErrorInfo');
  const info = anyUnpack(first, ErrorInfoSchema);
  assert.equal(String(all['grpc-status']), String(code), 'the same code twice');
  assert.equal(decodeURIComponent(String(all['grpc-message'])), message, 'the same message twice');
  const violations = info?.validationErrorInfo?.fieldViolations.map(({ field }) => field) ?? [];
  return {
    code,
    message,
    info: {
      errorCode: info?.errorCode ?? '',
      violations,
      requestId: info?.requestInfo?.requestId ?? '',
    },
  };
}

test('gRPC over HTTP/2, gRPC-Web and Connect reach one implementation with caller, environment and headers', async (t) => {
  const { port } = await startManagement(t);
  const baseUrl = `http://127.0.0.1:${port}`;
  const interceptors: Interceptor[] = [
    (next) => (request) => {
      request.header.set('authorization', 'Bearer good');
      request.header.set('x-api-version', '20260727');
      return next(request);
    },
  ];
  const transports = [
    createGrpcTransport({ baseUrl, interceptors }),
    createGrpcWebTransport({ baseUrl, httpVersion: '1.1', interceptors }),
    createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false, interceptors }),
    createConnectTransport({ baseUrl, httpVersion: '2', interceptors }),
  ];
  for (const transport of transports) {
    const client = createClient(RolesService, transport);
    const { role } = await client.getRole({ roleName: 'admin', include: 'permissions' });
    assert.deepEqual([role?.id, role?.name, role?.displayName], ['env_1', 'admin', 'permissions']);
    assert.equal(role?.description, 'skc_1 https://auth.example.com 20260727');
    const missing = await client.getRole({ roleName: 'missing' }).then(
      () => assert.fail('found'),
      (error: unknown) => ConnectError.from(error),
    );
    assert.deepEqual(
      [missing.code, missing.findDetails(ErrorInfoSchema)[0]?.errorCode],
      [Code.NotFound, 'ROLE_NOT_FOUND'],
    );
  }
});

test('a call by curl: JSON over HTTP/1.1, errors with their detail', async (t) => {
  const { port } = await startManagement(t);
  const call = (body: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}${GET_ROLE}`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', authorization: 'Bearer good', ...headers },
    });
  assert.equal((await (await call('{"role_name":"admin"}')).json()).role.name, 'admin');
  const malformed = await call('{"roleName":');
  assert.equal(malformed.status, 400);
  assert.equal((await malformed.json()).details[0].type, 'scalekit.v1.errdetails.ErrorInfo');
  const large = await call(JSON.stringify({ roleName: 'x'.repeat(1_200_000) }));
  assert.equal(large.status, 429);
  assert.equal((await large.json()).details[0].type, 'scalekit.v1.errdetails.ErrorInfo');
});

test('every kind of gRPC error has the detail with the same code and message', async (t) => {
  const { port, lines } = await startManagement(t);
  const status = async (
    body: Buffer,
    headers = {},
    path = GET_ROLE,
  ): Promise<ReturnType<typeof statusOf>> =>
    statusOf(await post(port, path, { ...grpc, ...headers }, body));
  const table = [
    [getRole('missing'), {}, GET_ROLE, 5, 'ROLE_NOT_FOUND'],
    [getRole('limited'), {}, GET_ROLE, 8, 'RATE_LIMITED'],
    [getRole('down'), {}, GET_ROLE, 14, 'TEMPORARILY_UNAVAILABLE'],
    [getRole('bug'), {}, GET_ROLE, 13, 'INTERNAL'],
    [getRole('no-hyphens'), {}, GET_ROLE, 3, 'VALIDATION_FAILED'],
    [framed(Buffer.from([0xff, 0xff, 0xff])), {}, GET_ROLE, 3, 'INVALID_ARGUMENT'],
    [getRole('admin'), { 'grpc-encoding': 'zzz' }, GET_ROLE, 12, 'UNIMPLEMENTED'],
    [getRole('admin'), { 'grpc-timeout': 'soon' }, GET_ROLE, 3, 'INVALID_ARGUMENT'],
    [framed(Buffer.alloc(1_200_000)), {}, GET_ROLE, 8, 'RESOURCE_EXHAUSTED'],
    [getRole('admin'), {}, '/scalekit.v1.roles.RolesService/DeleteRoleBase', 12, 'NOT_IMPLEMENTED'],
    [getRole('admin'), {}, '/scalekit.v1.roles.RolesService/Nothing', 12, 'NOT_IMPLEMENTED'],
    [
      getRole('admin'),
      { 'content-type': 'application/grpc' },
      '/no.such.Service/Nothing',
      12,
      'NOT_IMPLEMENTED',
    ],
    [getRole('admin'), { authorization: 'Bearer organization' }, GET_ROLE, 7, 'PERMISSION_DENIED'],
    [getRole('admin'), { authorization: 'Bearer old' }, GET_ROLE, 16, 'UNAUTHENTICATED'],
  ] as const;
  for (const [body, headers, path, code, errorCode] of table) {
    const answer = await status(body, headers, path);
    assert.deepEqual(
      [path, errorCode, answer.code, answer.info.errorCode],
      [path, errorCode, code, errorCode],
    );
    assert.match(answer.info.requestId, /^req_/);
    assert.doesNotMatch(answer.message, /hunter2|10\.1\.2\.3/);
  }
  assert.ok(
    lines.some((line) => line.includes('hunter2')),
    'the cause of a bug is in the log',
  );
});

test('a first call without a token gets 16 and not 3, before its body is read', async (t) => {
  const { port } = await startManagement(t);
  const { authorization: _none, ...anonymous } = grpc;
  for (const body of [
    getRole('no-hyphens'),
    framed(Buffer.from([0xff])),
    framed(Buffer.alloc(2_000_000)),
  ]) {
    const answer = statusOf(await post(port, GET_ROLE, anonymous, body));
    assert.deepEqual([answer.code, answer.message], [16, 'Token empty']);
  }
});

test('of two authorization fields a stale one does not spoil the good one', async (t) => {
  const { port } = await startManagement(t);
  // Not in the types yet; without it the client refuses to send what some libraries send.
  const lenient = { strictSingleValueFields: false } as http2.ClientSessionOptions;
  const session = http2.connect(`http://127.0.0.1:${port}`, lenient);
  t.after(() => session.destroy());
  const twice = async (one: string, two: string): Promise<string | undefined> => {
    // As a flat list, because an object cannot hold a field twice.
    const fields = [
      ':method',
      'POST',
      ':path',
      GET_ROLE,
      ':scheme',
      'http',
      ':authority',
      `127.0.0.1:${port}`,
    ];
    const stream = session.request([
      ...fields,
      'content-type',
      'application/grpc',
      'te',
      'trailers',
      'authorization',
      `Bearer ${one}`,
      'authorization',
      `Bearer ${two}`,
    ]);
    stream.end(getRole('admin'));
    const status = new Promise<string | undefined>((resolve) => {
      stream.once('trailers', (trailers) => resolve(trailers['grpc-status']?.toString()));
    });
    stream.resume();
    return await status;
  };
  assert.equal(await twice('good', 'old'), '0');
  assert.equal(await twice('old', 'good'), '0');
  assert.equal(await twice('old', 'older'), '16');
});

test('violations name field and rule, and the message can be read by people', async (t) => {
  const { port } = await startManagement(t);
  const answer = statusOf(await post(port, GET_ROLE, grpc, getRole('')));
  assert.deepEqual(answer.info.violations, ['role_name']);
  assert.match(answer.message, /role_name/);
});

test('who may call is what the contract says: open methods need no token, methods for people refuse clients', async (t) => {
  const { port } = await startManagement(t);
  const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` });
  const client = createClient(ClientService, transport);
  assert.equal((await client.getConsentDetails({})).user?.email, 'open@example.com');
  const bearer = { headers: { authorization: 'Bearer good' } };
  await assert.rejects(client.listCurrentAgentConsents({}), { code: Code.Unauthenticated });
  await assert.rejects(client.listCurrentAgentConsents({}, bearer), {
    code: Code.PermissionDenied,
  });
  await assert.rejects(client.createScope({ scope: { name: 'a' } }, bearer), {
    code: Code.PermissionDenied,
  });
});

test('two slices with one method do not start', () => {
  const slice: Slice<typeof RolesService> = { deleteRoleBase: async () => ({}) };
  assert.throws(() => service(RolesService, slice, slice), /deleteRoleBase is implemented twice/);
});

test('a long list of violations reaches Connect clients that take compressed answers, each with its detail', async (t) => {
  const { port } = await startManagement(t);
  const permissions = Array.from({ length: 30 }, (_, index) => `not a name ${index}`);
  for (const encoding of ['gzip', 'br', 'identity']) {
    const answer = await fetch(
      `http://127.0.0.1:${port}/scalekit.v1.roles.RolesService/CreateRole`,
      {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: 'Bearer good',
          'accept-encoding': encoding,
        },
        body: JSON.stringify({ role: { name: 'editor', displayName: 'Editor', permissions } }),
      },
    );
    const body = await answer.text();
    assert.equal(answer.status, 400, encoding);
    assert.ok(body.length > 1024, 'long enough to be compressed');
    assert.equal(JSON.parse(body).details[0].type, 'scalekit.v1.errdetails.ErrorInfo');
  }
});
