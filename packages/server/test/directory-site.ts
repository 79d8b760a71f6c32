import assert from 'node:assert/strict';
import type { JsonObject } from '@bufbuild/protobuf';
import type { DirectoryKey } from '../src/directory/directories.store.ts';
import { upsertDirectoryGroup } from '../src/directory/directory-groups.ts';
import { type DirectoryUserWrite, upsertDirectoryUser } from '../src/directory/directory-users.ts';
import { sql, type TestGatewarden } from '../src/testing.ts';
import { directorySteps, newDirectory } from './directory-steps.ts';
import { type Api, managementApi } from './management-api.ts';
import { newOrganization } from './organization-steps.ts';

/** An organization with a directory of its own. */
export type DirectorySite = {
  readonly gatewarden: TestGatewarden;
  readonly api: Api;
  readonly key: DirectoryKey;
  readonly id: string;
  readonly steps: ReturnType<typeof directorySteps>;
  /** About people and groups, oldest first. */
  readonly events: () => Promise<{ type: string; data: JsonObject }[]>;
};

export async function directorySite(
  t: Parameters<typeof managementApi>[0],
  gatewarden: TestGatewarden,
): Promise<DirectorySite> {
  const api = await managementApi(t, gatewarden);
  const organizationId = String((await newOrganization(api))['id']);
  const id = String((await newDirectory(api, organizationId))['id']);
  const { environmentId } = gatewarden.context();
  const events = async () =>
    await gatewarden.database.rows<{ type: string; data: JsonObject }>(
      sql`select replace(type, 'organization.directory.', '') as type, data from events where organization_id = ${organizationId} and type like 'organization.directory.%' order by id`,
    );
  const key = { environmentId, organizationId, id };
  return { gatewarden, api, key, id, steps: directorySteps(organizationId), events };
}

export const ada: DirectoryUserWrite = {
  userName: 'ada@acme.example',
  externalId: 'okta-1',
  email: 'ada@acme.example',
  givenName: 'Ada',
  familyName: 'Lovelace',
  active: true,
  attributes: { department: 'Engines', emails: ['ada@acme.example', 'al@acme.example'] },
  raw: { userName: 'ada@acme.example', department: 'Engines' },
};

/** Somebody else. */
export const person = (name: string): DirectoryUserWrite => {
  const address = `${name}@acme.example`;
  return {
    ...ada,
    userName: address,
    externalId: name,
    email: address,
    raw: { userName: address },
  };
};

/** The id of somebody new. */
export async function added(
  { key, gatewarden }: DirectorySite,
  write: DirectoryUserWrite,
): Promise<string> {
  const outcome = await upsertDirectoryUser(gatewarden.context(), key, write);
  assert.ok(outcome.kind === 'created', outcome.kind);
  return outcome.user.id;
}

/** The id of a new group, whose external id is its name behind `x-`. */
export async function group(
  { key, gatewarden }: DirectorySite,
  displayName: string,
): Promise<string> {
  const write = { displayName, externalId: `x-${displayName}`, raw: { displayName } };
  const outcome = await upsertDirectoryGroup(gatewarden.context(), key, write);
  assert.ok(outcome.kind === 'created', outcome.kind);
  return outcome.group.id;
}
