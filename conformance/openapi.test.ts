import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { startGatewarden } from './gatewarden-process.ts';

type Validate = (document: unknown) => Promise<unknown>;

/** The validator that comes with a framework among the peers. */
function validator(): Validate {
  const { validate } = createRequire(import.meta.url)('@apidevtools/swagger-parser');
  assert.equal(typeof validate, 'function');
  return validate;
}

test('a validator of OpenAPI accepts the description of the management API, and refuses a broken one', async (t) => {
  const running = await startGatewarden(t);
  const text = await (await fetch(`${running.environmentUrl}/openapi.json`)).text();
  const validate = validator();
  const read = () => JSON.parse(text);

  await validate(read());

  const missing = read();
  delete missing.components.schemas['roles.CreateRole'];
  await assert.rejects(validate(missing));
  const wrong = read();
  wrong.paths['/api/v1/roles'].get.parameters[0].in = 'nowhere';
  await assert.rejects(validate(wrong));
});
