import { type DescField, type DescMethod, getOption, type Message } from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { http } from '@gatewarden/contract/google/api/annotations_pb';
import { auth_option } from '@gatewarden/contract/scalekit/v1/options/options_pb';
import { ApiError } from './api-error.ts';
import {
  CHANGING_GETS,
  CLIENTS_ONLY,
  OPERATORS_OWN,
  OWNERS_ONLY,
  PEOPLE_REACH,
  PERMISSIONS,
  PORTAL_REACH,
  PORTAL_SERVICES,
  READING_POSTS,
  REVEALING,
  type Reach,
} from './caller-tables.ts';
import type { Caller, OperatorRole } from './callers.ts';
import { invalidField } from './request-checks.ts';

type Person = Extract<Caller, { kind: 'session' }>;
type Portal = Extract<Caller, { kind: 'portal' }>;

/**
 * Whether a caller of a kind that the method lets in may use it, as far as that can be said before the request is read.
 * What no rule allows is refused.
 */
export function mayUse(caller: Caller, method: DescMethod): boolean {
  if (CLIENTS_ONLY.has(nameOf(method))) return caller.kind === 'environment-client';
  switch (caller.kind) {
    case 'anonymous':
      return true;
    case 'environment-client':
      return !OPERATORS_OWN.has(nameOf(method));
    case 'operator':
      return operatorMay(caller.role, method);
    case 'session':
      return personMay(caller, method);
    case 'portal':
      return portalMay(caller, method);
  }
}

/**
 * Whether the request stays with the caller's own organization or person. Somebody else's answers exactly like one that does
 * not exist.
 *
 * @throws {ApiError} not_found, invalid_argument for a request that names none, permission_denied for members that are not the caller's to set
 */
export function checkReach(caller: Caller, method: DescMethod, message: Message): void {
  if (caller.kind !== 'session' && caller.kind !== 'portal') return;
  const reach = caller.kind === 'session' ? reachOfPeople(method) : reachOfPortals(method);
  const request = reflect(method.input, message);
  switch (reach.to) {
    case 'self':
    case 'environment':
      return;
    case 'nothing':
      throw denied();
    case 'person':
      if (caller.kind !== 'session') throw denied();
      checkOwn(request, fieldOf(method, reach.field), caller.userId, 'user');
      return;
    case 'organization': {
      if (caller.organizationId === undefined) throw denied();
      checkOwn(request, organizationField(method), caller.organizationId, 'organization');
      if (reach.members) checkMembers(request, reach.members);
      return;
    }
  }
}

/** Whether a method only reads. By its verb, but for the exceptions that were reviewed. */
export function isReading(method: DescMethod): boolean {
  const name = nameOf(method);
  const isGet = getOption(method, http).pattern.case === 'get';
  return isGet ? !CHANGING_GETS.has(name) : READING_POSTS.has(name);
}

/** The field in which a request names an organization. */
export function organizationField(method: DescMethod): DescField | undefined {
  const { fields } = method.input;
  const named = fields.find(({ name }) => name === 'organization_id' || name === 'org_id');
  if (named || method.parent.name !== 'OrganizationService') return named;
  return fields.find(({ name }) => name === 'id');
}

/** `Service.Method`, as the tables name it. */
export function nameOf(method: DescMethod): string {
  return `${method.parent.name}.${method.name}`;
}

function operatorMay(role: OperatorRole, method: DescMethod): boolean {
  const name = nameOf(method);
  switch (role) {
    case 'owner':
      return true;
    case 'admin':
      return !OWNERS_ONLY.has(name);
    case 'viewer':
      return isReading(method) && !REVEALING.has(name) && !OWNERS_ONLY.has(name);
  }
}

function personMay(caller: Person, method: DescMethod): boolean {
  const reach = reachOfPeople(method);
  if (reach.to === 'nothing') return false;
  if (reach.to === 'organization' && caller.organizationId === undefined) return false;
  const asked = getOption(method, auth_option).permissions.map((name) => PERMISSIONS.get(name));
  const own = reach.to === 'organization' && reach.permission !== undefined;
  const needed = own ? [...asked, reach.permission] : asked;
  return needed.every((name) => name !== undefined && caller.permissions.has(name));
}

function reachOfPeople(method: DescMethod): Reach {
  const reviewed = PEOPLE_REACH.get(nameOf(method));
  if (reviewed) return reviewed;
  const asks = getOption(method, auth_option).permissions.length > 0;
  return asks && organizationField(method) ? { to: 'organization' } : { to: 'nothing' };
}

function portalMay(caller: Portal, method: DescMethod): boolean {
  const { to, features } = reachOfPortals(method);
  if (to === 'nothing') return false;
  return features.length === 0 || features.some((feature) => caller.features.has(feature));
}

function reachOfPortals(method: DescMethod): Reach & { readonly features: readonly string[] } {
  const reviewed = PORTAL_REACH.get(nameOf(method));
  if (reviewed) return reviewed;
  const features = PORTAL_SERVICES.get(method.parent.name);
  return features && organizationField(method)
    ? { to: 'organization', features }
    : { to: 'nothing', features: [] };
}

function fieldOf(method: DescMethod, name: string): DescField | undefined {
  return method.input.fields.find((field) => field.name === name);
}

function checkOwn(
  request: ReflectMessage,
  field: DescField | undefined,
  own: string,
  noun: 'organization' | 'user',
): void {
  if (!field) throw denied();
  const named = request.get(field);
  if (typeof named !== 'string' || named === '')
    throw invalidField(field.name, `is missing; it must be your ${noun}'s`, 'required');
  if (named === own) return;
  throw new ApiError('not_found', `${noun.toUpperCase()}_NOT_FOUND`, `there is no such ${noun}`);
}

/** Every member that is set must be among the allowed ones, or inside of one. A mask may name only such members. */
function checkMembers(request: ReflectMessage, allowed: readonly string[], prefix = ''): void {
  for (const field of request.fields) {
    if (!request.isSet(field)) continue;
    const path = `${prefix}${field.name}`;
    const inner = field.fieldKind === 'message' ? request.get(field) : undefined;
    if (path === 'update_mask') checkMask(inner?.message, allowed);
    if (allowed.includes(path)) continue;
    const isBranch = allowed.some((one) => one.startsWith(`${path}.`));
    if (!isBranch || !inner) throw denied(path);
    checkMembers(inner, allowed, `${path}.`);
  }
}

function checkMask(mask: unknown, allowed: readonly string[]): void {
  const paths: unknown = Reflect.get(Object(mask), 'paths') ?? [];
  if (!Array.isArray(paths)) throw denied('update_mask');
  for (const path of paths) {
    if (!allowed.some((one) => one.endsWith(`.${path}`))) throw denied(String(path).slice(0, 100));
  }
}

function denied(member?: string): ApiError {
  const what = member === undefined ? 'use this method' : `set ${member}`;
  return new ApiError('permission_denied', 'PERMISSION_DENIED', `this caller may not ${what}`);
}
