import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engines } from '@gatewarden/server/testing';
import {
  ScalekitBadRequestException,
  type ScalekitClient,
  ScalekitNotFoundException,
} from '@scalekit-sdk/node';
import { DirectoryType } from '@scalekit-sdk/node/lib/pkg/grpc/scalekit/v1/directories/directories_pb.js';
import { vendorSite } from './vendor-site.ts';

const NO_ORGANIZATION = 'org_123456789012345678';
const NO_DIRECTORY = 'dir_123456789012345678';

/** What the SDK takes for a new directory. */
type NewDirectory = Parameters<ScalekitClient['directory']['createDirectory']>[1];

function scim(): NewDirectory {
  // The vendor's type also asks for what its own code generator adds; the SDK copies members by name.
  return { directoryType: DirectoryType.SCIM } as NewDirectory;
}

for (const engine of engines)
  test(`the vendor's SDK manages directories: each of its methods, in success and in refusal (contract: DirectoryService), ${engine}`, async (t) => {
    const { sdk } = await vendorSite(t, engine);
    const { directory } = sdk;
    const { organization } = await sdk.organization.createOrganization('Acme');
    const organizationId = organization?.id ?? '';

    await assert.rejects(
      async () => await directory.getPrimaryDirectoryByOrganizationId(organizationId),
    );
    assert.deepEqual((await directory.listDirectories(organizationId)).directories, []);

    const created = (await directory.createDirectory(organizationId, scim())).directory;
    assert.ok(created);
    const { id } = created;
    assert.match(id, /^dir_[0-9]{15,19}$/);
    assert.deepEqual([created.enabled, created.organizationId], [true, organizationId]);
    assert.match(created.directoryEndpoint, new RegExp(`/directory/${id}/scim/v2$`));
    await assert.rejects(
      directory.createDirectory(organizationId, scim()),
      ScalekitBadRequestException,
    );

    assert.equal((await directory.getDirectory(organizationId, id)).directory?.id, id);
    assert.equal((await directory.listDirectories(organizationId)).directories.length, 1);
    assert.equal((await directory.getPrimaryDirectoryByOrganizationId(organizationId)).id, id);
    assert.equal((await directory.disableDirectory(organizationId, id)).enabled, false);
    assert.equal((await directory.enableDirectory(organizationId, id)).enabled, true);

    const options = { pageSize: 10, includeDetail: true, updatedAfter: '2020-01-01T00:00:00Z' };
    const users = await directory.listDirectoryUsers(organizationId, id, options);
    assert.deepEqual([users.users, users.totalSize, users.nextPageToken], [[], 0, '']);
    const groups = await directory.listDirectoryGroups(organizationId, id, options);
    assert.deepEqual([groups.groups, groups.totalSize, groups.nextPageToken], [[], 0, '']);
    for (const list of [
      directory.listDirectoryUsers(organizationId, id, { pageToken: 'nonsense' }),
      directory.listDirectoryGroups(organizationId, id, { pageSize: 31 }),
    ])
      await assert.rejects(list, ScalekitBadRequestException);

    await directory.disableDirectory(organizationId, id);
    await directory.deleteDirectory(organizationId, id);
    for (const gone of [id, NO_DIRECTORY])
      for (const call of [
        () => directory.getDirectory(organizationId, gone),
        () => directory.enableDirectory(organizationId, gone),
        () => directory.disableDirectory(organizationId, gone),
        () => directory.deleteDirectory(organizationId, gone),
        () => directory.listDirectoryUsers(organizationId, gone),
        () => directory.listDirectoryGroups(organizationId, gone),
      ])
        await assert.rejects(call(), ScalekitNotFoundException);
    for (const call of [
      () => directory.listDirectories(NO_ORGANIZATION),
      () => directory.createDirectory(NO_ORGANIZATION, scim()),
    ])
      await assert.rejects(call(), ScalekitNotFoundException);
    await assert.rejects(
      directory.getDirectory(organizationId, 'dir_x'),
      ScalekitBadRequestException,
    );
  });
