import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestGatewarden, testPostgres, token } from '../src/testing.ts';
import { managementToken } from './management-api.ts';

test('what was taken away over the management API is gone for the next request, also where rows are remembered between processes (FSA-77, AS-88)', async (t) => {
  const { database } = await testPostgres(t);
  // Notifications come late here, as they may when a database has much to do.
  const late: typeof database = {
    ...database,
    listen: async (channel, hear) =>
      await database.listen(
        channel,
        (payload) => void setTimeout(() => hear(payload), 2000).unref(),
      ),
  };
  const gatewarden = await startTestGatewarden(t, { database: late });
  const authorization = `Bearer ${await managementToken(gatewarden)}`;
  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(`${gatewarden.url}/api/v1${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    assert.ok(answer.ok, text);
    return JSON.parse(text);
  };
  const { organization } = await call('POST', '/organizations', { display_name: 'Acme' });
  const path = `/organizations/${organization.id}/clients`;
  const asks = async (id: string, secret: string): Promise<number> => {
    const grant = { grant_type: 'client_credentials', client_id: id, client_secret: secret };
    return (await token(gatewarden.url, grant)).status;
  };
  for (let round = 0; round < 5; round += 1) {
    const made = await call('POST', path, { name: 'Robot', description: 'Has two secrets' });
    const id = made.client.client_id;
    const more = await call('POST', `${path}/${id}/secrets`);
    assert.equal(await asks(id, more.plain_secret), 200);
    await call('DELETE', `${path}/${id}/secrets/${more.secret.id}`);
    assert.equal(await asks(id, more.plain_secret), 401, 'the secret was removed');
    assert.equal(await asks(id, made.plain_secret), 200);
    await call('DELETE', `${path}/${id}`);
    assert.equal(await asks(id, made.plain_secret), 401, 'the client was removed');
  }
});
