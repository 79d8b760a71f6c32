import { clientVerdicts } from './client-verdicts.ts';
import type { Examination } from './examination.ts';
import { hindranceOf } from './login/hindrance.ts';
import { examineLogin } from './login/login.ts';
import type { ClientVerdict, ExamineOptions } from './report.ts';
import {
  type AuthorizationServer,
  examineAuthorizationServer,
} from './steps/authorization-server.ts';
import { examineChallenge, type Gate } from './steps/challenge.ts';
import { examineCors } from './steps/cors.ts';
import { examineFalseTokens } from './steps/false-tokens.ts';
import { examineForgedTokens } from './steps/forged-tokens.ts';
import { examineKeys } from './steps/keys.ts';
import { examineOtherDoors } from './steps/other-doors.ts';
import { reach } from './steps/reach.ts';
import { examineRegistration } from './steps/registration.ts';
import { examineResourceMetadata, type Resource } from './steps/resource-metadata.ts';
import { examineTransport } from './steps/transport.ts';

export type StepsOutcome = {
  readonly unreachableReason?: string;
  readonly credentialsRefused?: string;
  readonly clients: readonly ClientVerdict[];
};

/** The steps in their order. A step that could only repeat what an earlier one found is not run. */
export async function runSteps(
  examination: Examination,
  options: ExamineOptions,
): Promise<StepsOutcome> {
  const reached = await reach(examination);
  if (reached.kind === 'unreachable') return { unreachableReason: reached.reason, clients: [] };
  if (reached.kind === 'stopped')
    return {
      clients: clientVerdicts(examination, {
        server: undefined,
        isOpen: false,
        browserOrigin: undefined,
      }),
    };
  const gate = await examineChallenge(examination, reached.endpoint);
  // An open server needs no authorization server; what it has of one is no client's concern.
  if (!gate.probe)
    return {
      clients: clientVerdicts(examination, {
        server: undefined,
        isOpen: true,
        browserOrigin: undefined,
      }),
    };
  await examineFalseTokens(examination, gate);
  await examineOtherDoors(examination, gate);
  const resource = await examineResourceMetadata(examination, gate);
  const server = await examineAuthorizationServer(examination, gate, resource);
  if (server) await examineIssuer(examination, gate, resource, server);
  const browserOrigin = await examineCors(examination, { gate, resource, server });
  await examineTransport(examination, gate);
  const refused = server
    ? await login(examination, { gate, resource, server }, options)
    : undefined;
  return {
    clients: clientVerdicts(examination, { server, isOpen: false, browserOrigin }),
    ...(refused === undefined ? {} : { credentialsRefused: refused }),
  };
}

async function login(
  examination: Examination,
  where: { readonly gate: Gate; readonly resource: Resource; readonly server: AuthorizationServer },
  options: ExamineOptions,
): Promise<string | undefined> {
  if (!options.login) return undefined;
  const hindrance = hindranceOf(where);
  if (hindrance !== undefined) {
    examination.note('login', `No sign-in was begun: ${hindrance}.`);
    return undefined;
  }
  return await examineLogin(examination, {
    ...where,
    options: options.login,
    signal: options.signal,
    onProgress: options.onProgress ?? (() => undefined),
  });
}

async function examineIssuer(
  examination: Examination,
  gate: Gate,
  resource: Resource,
  server: AuthorizationServer,
): Promise<void> {
  const keys = await examineKeys(examination, server);
  await examineForgedTokens(examination, { gate, resource, server, keys });
  examineRegistration(examination, server);
}
