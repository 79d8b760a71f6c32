import type { Examination } from '../examination.ts';
import type { Outcome } from '../http.ts';
import { shown } from '../printable.ts';
import { type LoopbackListener, listenOnLoopback } from '../runtime/loopback-listener.ts';
import type { AuthorizationServer } from '../steps/authorization-server.ts';
import { safeAddressOf } from '../steps/authorization-server-metadata.ts';
import type { Gate } from '../steps/challenge.ts';
import type { Resource } from '../steps/resource-metadata.ts';
import { checkAudience, checkRefresh, checkReplay, type Granted } from './grant-checks.ts';
import type { LoginOptions } from './login-options.ts';
import {
  type Authorization,
  authorizationRequest,
  codeParameters,
  errorOfBody,
  type OAuthClient,
  registerClient,
  type Tokens,
  tokenRequest,
  tokensOf,
} from './oauth-client.ts';
import { tidyUp } from './tidy-up.ts';
import { checkRefreshed, checkScopes, checkToken } from './token-checks.ts';

export type LoginInput = {
  readonly gate: Gate;
  readonly resource: Resource;
  readonly server: AuthorizationServer;
  readonly options: LoginOptions;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (line: string) => void;
};

type Visit = LoginInput & {
  readonly listener: LoopbackListener;
  readonly client: OAuthClient;
  readonly tokenEndpoint: string;
  readonly scopes: readonly string[];
};

const PERSON_SECONDS = 300;
/** For the second authorization: a server that shows a page instead of coming back says nothing more. */
const SECOND_SECONDS = 30;
const OTHER_RESOURCE = 'https://gatewarden-doctor.invalid/mcp';

/** A real authorization with a person, and what only a token shows. Returns why given credentials were refused, if so. */
export async function examineLogin(
  examination: Examination,
  input: LoginInput,
): Promise<string | undefined> {
  examination.begin('login');
  const listener = await listenOnLoopback(input.signal);
  try {
    const client = await clientFor(examination, input, listener);
    examination.hide(client?.secret);
    examination.hide(client?.management?.token);
    const tokenEndpoint = safeAddressOf(input.server.metadata, 'token_endpoint')?.href;
    if (!client || tokenEndpoint === undefined) return undefined;
    const scopes = scopesFor(input);
    const refused = await visit(examination, { ...input, listener, client, tokenEndpoint, scopes });
    return refused;
  } finally {
    await listener.close();
  }
}

function scopesFor({ options, gate, resource }: LoginInput): readonly string[] {
  if (options.scopes) return options.scopes;
  return gate.scopes.length > 0 ? gate.scopes : (resource.scopes ?? []);
}

async function clientFor(
  examination: Examination,
  { options, server }: LoginInput,
  { redirectUri }: LoopbackListener,
): Promise<OAuthClient | undefined> {
  if (options.clientId !== undefined)
    return {
      id: options.clientId,
      secret: options.clientSecret,
      method: options.clientSecret === undefined ? 'none' : 'client_secret_basic',
      management: undefined,
      registered: false,
    };
  const client = await registerClient(examination, server, redirectUri);
  if (client && 'id' in client) return client;
  examination.find('login-failed', {
    message: client
      ? `The registration of a client is refused${reason(client)}.`
      : 'Clients cannot be registered; give one with --client-id.',
    evidence: client ?? server.metadataUrl,
  });
  return undefined;
}

function reason(outcome: Outcome): string {
  if (outcome.kind === 'failed') return `: ${outcome.detail}`;
  const error = errorOfBody(outcome);
  return ` with ${outcome.status}${error === undefined ? '' : ` ${error}`}`;
}

async function visit(examination: Examination, here: Visit): Promise<string | undefined> {
  const { client, server } = here;
  const tokens: Tokens[] = [];
  try {
    const granted = await authorized(examination, here);
    if (granted === undefined || typeof granted === 'string') return granted;
    tokens.push(granted.tokens);
    await checkGranted(examination, here, granted, tokens);
    return undefined;
  } finally {
    await tidyUp(examination, server, client, tokens);
  }
}

/** Request, response and exchange. A string: the credentials given were refused. */
async function authorized(
  examination: Examination,
  here: Visit,
): Promise<Granted | string | undefined> {
  const { client, tokenEndpoint, resource, options } = here;
  const authorization = requestFor(examination, here, resource.resource ?? examination.target.href);
  if (!authorization) return undefined;
  const code = await askPerson(examination, here, authorization);
  if (code === undefined) return undefined;
  examination.hide(code);
  const answer = await tokenRequest(
    examination,
    tokenEndpoint,
    client,
    codeParameters(authorization, code),
  );
  const tokens = issued(examination, answer);
  if (tokens) return { tokenEndpoint, client, authorization, code, tokens };
  const error = answer.kind === 'answer' ? errorOfBody(answer) : undefined;
  if (
    options.clientId !== undefined &&
    (error === 'invalid_client' || error === 'unauthorized_client')
  )
    return `the authorization server refuses the client ${shown(options.clientId)}: ${error}`;
  examination.find('login-failed', {
    message: `The exchange of the code is refused${reason(answer)}.`,
    evidence: answer,
  });
  return undefined;
}

function issued(examination: Examination, answer: Outcome): Tokens | undefined {
  const tokens = answer.kind === 'answer' ? tokensOf(answer) : undefined;
  examination.hide(tokens?.access);
  examination.hide(tokens?.refresh);
  return tokens;
}

function requestFor(
  examination: Examination,
  { server, client, listener, scopes }: Visit,
  resource: string,
): Authorization | undefined {
  const { redirectUri } = listener;
  const request = { server, client, redirectUri, resource, scopes };
  const authorization = authorizationRequest(examination, request);
  examination.hide(authorization?.verifier);
  return authorization;
}

async function askPerson(
  examination: Examination,
  here: Visit,
  authorization: Authorization,
): Promise<string | undefined> {
  const seconds = here.options.timeoutSeconds ?? PERSON_SECONDS;
  here.onProgress(
    `login: sign in and allow access in the browser, ${placesOf(here, authorization)}`,
  );
  const response = here.listener.response(authorization.state, seconds * 1000);
  await here.options.openBrowser(authorization.url);
  const parameters = await response;
  if (!parameters) {
    examination.find('login-failed', {
      message: `Nobody came back from the authorization server within ${seconds} seconds.`,
      evidence: new URL(authorization.url).origin,
    });
    return undefined;
  }
  if (!isOfIssuer(examination, here.server, parameters)) return undefined;
  const code = parameters.get('code');
  if (code !== null && code !== '') return code;
  examination.find('login-failed', {
    message: `The authorization server answers ${shown(parameters.get('error') ?? 'without a code')}: ${shown(parameters.get('error_description') ?? '')}`,
    evidence: `${new URL(authorization.url).origin} redirected with error ${shown(parameters.get('error'))}`,
  });
  return undefined;
}

/** Where the person signs in and where the code goes then: two hosts may be right, and only the person can know. */
function placesOf({ tokenEndpoint }: Visit, { url }: Authorization): string {
  const [one, other] = [new URL(url).origin, new URL(tokenEndpoint).origin];
  return one === other
    ? `at ${one}`
    : `at ${one}; the code then goes to ${other}: go on only if both belong together`;
}

/** RFC 9207 §2.4: what comes in another name goes no further; its code belongs to somebody else (mix-up). */
function isOfIssuer(
  examination: Examination,
  { metadata, issuer, metadataUrl }: AuthorizationServer,
  parameters: URLSearchParams,
): boolean {
  const values = parameters.getAll('iss');
  const expected = typeof metadata['issuer'] === 'string' ? metadata['issuer'] : issuer;
  const promised = metadata['authorization_response_iss_parameter_supported'] === true;
  if (values.length === 1 && values[0] === expected) return true;
  if (values.length === 0 && !promised) return true;
  examination.find('iss-parameter-wrong', {
    message:
      values.length === 0
        ? 'iss is promised by the metadata and missing in the response.'
        : `iss is ${shown(values.join(' and '))} and the issuer is ${expected}.`,
    evidence: `response of ${expected}: iss ${shown(values)}`,
    url: metadataUrl,
  });
  return false;
}

async function checkGranted(
  examination: Examination,
  here: Visit,
  granted: Granted,
  tokens: Tokens[],
): Promise<void> {
  const { gate, resource, options, scopes } = here;
  const { url } = gate.endpoint;
  if (granted.tokens.type.toLowerCase() === 'dpop') {
    examination.note(
      'login',
      'The token is bound to a key (DPoP); what needs a bearer token was not examined.',
    );
    return;
  }
  const caller = await checkToken(examination, url, granted.tokens);
  if (!caller) return;
  await checkScopes(examination, caller, {
    named: options.tool,
    granted: granted.tokens.scopes ?? scopes,
    offered: resource.scopes ?? [],
  });
  const newest = await checkRefresh(examination, granted);
  tokens.push(newest);
  if (newest.access !== granted.tokens.access) await checkRefreshed(examination, url, newest);
  // A replay may end the grant, so it comes last.
  await checkReplay(examination, granted);
  await examineOtherResource(examination, here, tokens);
}

/** Asks for a token for somebody else. To refuse that is right; to issue it is too, if this server then refuses it. */
async function examineOtherResource(
  examination: Examination,
  here: Visit,
  tokens: Tokens[],
): Promise<void> {
  const { client, tokenEndpoint, options, listener } = here;
  const authorization = requestFor(examination, here, OTHER_RESOURCE);
  if (!authorization) return;
  here.onProgress(
    `login: a second time, for another resource (${OTHER_RESOURCE}); an error page there is fine`,
  );
  const seconds = Math.min(options.timeoutSeconds ?? SECOND_SECONDS, SECOND_SECONDS);
  const response = listener.response(authorization.state, seconds * 1000);
  await options.openBrowser(authorization.url);
  const parameters = await response;
  if (parameters && !isOfIssuer(examination, here.server, parameters)) return;
  const code = parameters?.get('code');
  if (!code) {
    examination.note(
      'login',
      'The authorization server issues no token for a resource it does not know.',
    );
    return;
  }
  examination.hide(code);
  const answer = await tokenRequest(
    examination,
    tokenEndpoint,
    client,
    codeParameters(authorization, code),
  );
  const other = issued(examination, answer);
  if (!other) {
    examination.note(
      'login',
      'The authorization server issues no token for a resource it does not know.',
    );
    return;
  }
  tokens.push(other);
  const resource = here.resource.resource ?? examination.target.href;
  await checkAudience(examination, here.gate.endpoint.url, resource, other);
}
