import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type CreateMemberRequest,
  MemberRole,
  type MemberSchema,
  type MembersService,
  type UpdateMemberRequest,
} from '@gatewarden/contract/scalekit/v1/members/members_pb';
import { ApiError } from '../http/api-error.ts';
import type { Caller } from '../http/callers.ts';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import type { Ctx } from '../runtime/context.ts';
import { parseEmail } from '../users/email-address.ts';
import { countOperators, findOperator, listOperatorPage } from './operators.store.ts';
import {
  changeOperator,
  createOperator,
  deleteOperator,
  type Operator,
  type OperatorOutcome,
} from './operators.ts';

const MOST_LISTED = 100;

/** Operators, under the contract's name for them. */
export const membersRpc: Slice<typeof MembersService> = {
  async createMember(ctx, { member }) {
    const { email, role, metadata, ...names } = newMember(member);
    const address = parseEmail(email);
    if (!address) throw invalidField('member.email', 'is not an e-mail address', 'email');
    return written(await createOperator(ctx, { address, role, metadata, ...names }));
  },

  async getMember(ctx, { id }) {
    return await memberOf(ctx, id);
  },

  async getCurrentMember(ctx, _request, { caller }) {
    return await memberOf(ctx, ownId(caller));
  },

  async listMembers(ctx, request) {
    const { db, environmentId } = ctx;
    if (request.pageSize > MOST_LISTED)
      throw invalidField('page_size', `must be at most ${MOST_LISTED}`, 'uint32.lte');
    const page = readPage(ctx, 'members', request);
    const rows = await listOperatorPage(db, { environmentId, page });
    const { items, nextPageToken } = pageOf(ctx, 'members', page, rows);
    const totalSize = await countOperators(db, environmentId);
    return { nextPageToken, totalSize, members: items.map(messageOf) };
  },

  async updateMember(ctx, { id, member }) {
    return await update(ctx, id, member);
  },

  async updateCurrentMember(ctx, { member }, { caller }) {
    return await update(ctx, ownId(caller), member);
  },

  async deleteMember(ctx, { id }, { caller }) {
    checkId('id', id, 'mem');
    const byOwner = caller.kind === 'operator' && caller.role === 'owner';
    const outcome = await deleteOperator(ctx, id, ({ role }) => {
      // A stolen secret of an application must not lock out those who could take it away.
      if (role === 'owner' && !byOwner) throw denied('only an owner removes an owner');
    });
    written(outcome);
    return {};
  },
};

type NewMember = Pick<Operator, 'email' | 'role' | 'firstName' | 'lastName' | 'metadata'>;

function newMember(member: CreateMemberRequest['member']): NewMember {
  if (!member) throw invalidField('member', 'is missing', 'required');
  const { email, metadata, userProfile } = member;
  const firstName = member.firstName || userProfile?.givenName || '';
  const lastName = member.lastName || userProfile?.familyName || '';
  checkMembers({ firstName, lastName, metadata });
  return { email, role: roleOf(member.role), firstName, lastName, metadata };
}

/** Owners come from the first start and from other owners, never from a field of a request. */
function roleOf(role: MemberRole): 'admin' | 'viewer' {
  switch (role) {
    case MemberRole.ADMIN:
      return 'admin';
    case MemberRole.USER:
    case MemberRole.MEMBER_ROLE_UNSPECIFIED:
      return 'viewer';
    default:
      throw invalidField('member.role', 'is not a role', 'enum.defined_only');
  }
}

async function update(ctx: Ctx, id: string, member: UpdateMemberRequest['member']) {
  checkId('id', id, 'mem');
  const { metadata = {}, userProfile } = member ?? {};
  const firstName = member?.firstName ?? userProfile?.firstName ?? userProfile?.givenName;
  const lastName = member?.lastName ?? userProfile?.lastName ?? userProfile?.familyName;
  checkMembers({ firstName: firstName ?? '', lastName: lastName ?? '', metadata });
  const outcome = await changeOperator(ctx, id, () => ({
    ...(firstName !== undefined && { firstName }),
    ...(lastName !== undefined && { lastName }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  }));
  return written(outcome);
}

function checkMembers(members: Pick<Operator, 'firstName' | 'lastName' | 'metadata'>): void {
  const { firstName, lastName, metadata } = members;
  const pairs = Object.entries(metadata).flat();
  checkText('member.', { first_name: firstName, last_name: lastName, metadata: pairs });
}

async function memberOf(ctx: Ctx, id: string) {
  checkId('id', id, 'mem');
  const found = await findOperator(ctx.db, { environmentId: ctx.environmentId, id });
  if (!found) throw noSuchMember();
  return { member: messageOf(found) };
}

/** @throws {ApiError} permission_denied: a client is nobody's member */
function ownId(caller: Caller): string {
  if (caller.kind === 'operator') return caller.operatorId;
  throw denied('only an operator is a member');
}

function written(outcome: OperatorOutcome) {
  switch (outcome.kind) {
    case 'written':
      return { member: messageOf(outcome.operator) };
    case 'unknown':
      throw noSuchMember();
    case 'taken':
      throw invalidField(
        'member.email',
        'another member has this address, and a duplicate is not allowed',
        'unique',
      );
    case 'last-owner':
      throw new ApiError(
        'failed_precondition',
        'LAST_OWNER',
        'an environment needs an owner: make somebody else one first',
      );
  }
}

function noSuchMember(): ApiError {
  return new ApiError('not_found', 'MEMBER_NOT_FOUND', 'there is no such member');
}

function denied(why: string): ApiError {
  return new ApiError('permission_denied', 'PERMISSION_DENIED', why);
}

/** The contract knows two roles: owners are administrators to it. */
function messageOf(operator: Operator): MessageInitShape<typeof MemberSchema> {
  const { id, email, firstName, lastName, metadata, createdAt, updatedAt } = operator;
  return {
    id,
    email,
    metadata,
    role: operator.role === 'viewer' ? MemberRole.USER : MemberRole.ADMIN,
    createTime: timestampOf(createdAt),
    updateTime: timestampOf(updatedAt),
    ...(firstName !== '' && { firstName }),
    ...(lastName !== '' && { lastName }),
  };
}
