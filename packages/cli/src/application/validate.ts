import { createHash } from 'node:crypto';
import type { Finding, Passed, Result } from './findings.ts';
import { readVariables, type Variable, type Variables } from './variables.ts';

/**
 * Checks the environment variables of an application without any network (SKILL-42). A secret is described by its
 * length and the first 8 digits of its SHA-256 at most. Values that are wrong are named by their variable alone: what
 * stands in a wrong one may be the secret of another.
 */
export function validateVariables(env: Readonly<Record<string, string | undefined>>): Result[] {
  const { variables, findings } = readVariables(env);
  const { ENVIRONMENT_URL, CLIENT_ID, CLIENT_SECRET, RESOURCE_ID } = variables;
  return [
    ...findings,
    ...required('ENVIRONMENT_URL', ENVIRONMENT_URL, checkEnvironmentUrl),
    ...required('CLIENT_ID', CLIENT_ID, checkClientId),
    ...required('CLIENT_SECRET', CLIENT_SECRET, checkSecret),
    ...(RESOURCE_ID ? outcome(RESOURCE_ID, checkResourceId(RESOURCE_ID)) : []),
    ...checkApplicationUrls(variables),
    ...checkCookies(variables),
  ];
}

function required(
  suffix: string,
  variable: Variable | undefined,
  check: (variable: Variable) => Finding[],
): Result[] {
  if (variable) return outcome(variable, check(variable));
  return [
    error(
      'ENV_MISSING',
      `GATEWARDEN_${suffix} is not set`,
      `set GATEWARDEN_${suffix} (or SCALEKIT_${suffix}); "gatewarden dev" prints the values to paste`,
      `GATEWARDEN_${suffix}`,
    ),
  ];
}

/** The findings, or the statement that there are none. */
function outcome({ name, value }: Variable, findings: Finding[]): (Finding | Passed)[] {
  if (findings.length > 0) return findings;
  return [{ passed: name.endsWith('_SECRET') ? `${name} (${describeSecret(value)})` : name }];
}

/** Enough to compare two secrets, too little to use one. */
export function describeSecret(value: string): string {
  const digest = createHash('sha256').update(value).digest('hex').slice(0, 8);
  return `${value.length} characters, SHA-256 ${digest}…`;
}

const PLACEHOLDER =
  /^<.*>$|^\[.*\]$|^\{.*\}$|your[-_ ]|changeme|change_me|placeholder|^x{3,}|example-secret|\.\.\.|…|^(todo|secret|test|password)$/i;

function commonFaults({ name, value }: Variable): Finding[] {
  if (value !== value.trim())
    return [
      error('VALUE_SPACES', `${name} begins or ends with a space`, 'remove the spaces', name),
    ];
  if (/^(["']).*\1$/s.test(value))
    return [
      error('VALUE_QUOTED', `${name} holds quotation marks`, 'write the value without them', name),
    ];
  if (PLACEHOLDER.test(value))
    return [
      error('PLACEHOLDER', `${name} is still a placeholder`, 'put the real value there', name),
    ];
  return [];
}

function checkEnvironmentUrl(variable: Variable): Finding[] {
  const { name, value } = variable;
  const faults = checkUrl(variable);
  if (faults.length > 0) return faults;
  const { hostname, pathname } = new URL(value);
  const lookalike = imitated(hostname);
  if (lookalike)
    return [
      error(
        'URL_LOOKALIKE',
        `${name} only looks like an address of ${lookalike}`,
        'compare it with the address of your environment, letter by letter',
        hostname,
      ),
    ];
  if (value.endsWith('/'))
    return [
      error(
        'URL_TRAILING_SLASH',
        `${name} ends with a slash, and issuers are compared letter by letter`,
        'remove the slash at the end',
        name,
      ),
    ];
  return pathname === '/'
    ? []
    : [
        error(
          'URL_HAS_PATH',
          `${name} has a path`,
          'give the address of the environment alone, such as https://auth.example.com',
          name,
        ),
      ];
}

/** A host that contains the vendor's domain without being below it. Custom domains and local servers are as good as any. */
function imitated(hostname: string): string | undefined {
  return ['scalekit.com', 'scalekit.dev', 'scalekit.cloud'].find(
    (domain) =>
      hostname.includes(domain) && hostname !== domain && !hostname.endsWith(`.${domain}`),
  );
}

function checkUrl(variable: Variable): Finding[] {
  const common = commonFaults(variable);
  if (common.length > 0) return common;
  const { name, value } = variable;
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || /[\s\\]/.test(value)) {
    const fix = /^[a-z0-9.-]+(:\d+)?(\/.*)?$/i.test(value)
      ? 'write the scheme too, such as https://auth.example.com'
      : 'give an absolute https address';
    return [error('URL_INVALID', `${name} is not an absolute http(s) address`, fix, name)];
  }
  if (/^https?:\/\/https?:/i.test(value) || url.username || url.password)
    return [
      error(
        'URL_INVALID',
        `${name} has two schemes or user information`,
        'write one address',
        name,
      ),
    ];
  if (url.search || url.hash)
    return [
      error(
        'URL_INVALID',
        `${name} has a query or a fragment`,
        'remove what follows the path',
        name,
      ),
    ];
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    return [
      error(
        'URL_INSECURE',
        `${name} uses http at another machine`,
        'use https; http is for localhost only',
        name,
      ),
    ];
  return [];
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function checkClientId(variable: Variable): Finding[] {
  const faults = commonFaults(variable);
  if (faults.length > 0 || /^(skc|m2m|app|nac|spa|wac)_[0-9A-Za-z]{4,64}$/.test(variable.value))
    return faults;
  return [
    error(
      'CLIENT_ID_SHAPE',
      `${variable.name} does not look like a client id`,
      'client ids begin with skc_, followed by digits; was the secret put here?',
      variable.name,
    ),
  ];
}

function checkSecret(variable: Variable): Finding[] {
  const faults = commonFaults(variable);
  if (faults.length > 0) return faults;
  const { name, value } = variable;
  if (/^skc_\d+$/.test(value))
    return [
      error(
        'SECRET_IS_CLIENT_ID',
        `${name} holds a client id`,
        'put the client secret there',
        name,
      ),
    ];
  if (/[^\x21-\x7e]/.test(value) || value.length < 32)
    return [
      error(
        'SECRET_SHAPE',
        `${name} is too short for a secret, or holds spaces or letters a secret has not`,
        'copy the whole secret again',
        describeSecret(value),
      ),
    ];
  return [];
}

function checkResourceId(variable: Variable): Finding[] {
  const faults = commonFaults(variable);
  if (faults.length > 0 || /^res_[0-9A-Za-z]{1,64}$/.test(variable.value)) return faults;
  return [
    error(
      'RESOURCE_ID_SHAPE',
      `${variable.name} does not look like the id of an MCP server`,
      'it begins with res_, followed by digits',
      variable.name,
    ),
  ];
}

function checkApplicationUrls(variables: Variables): Result[] {
  const { APP_URL, CALLBACK_URL, POST_LOGOUT_URL } = variables;
  const results = [APP_URL, CALLBACK_URL, POST_LOGOUT_URL].flatMap((variable) =>
    variable ? outcome(variable, checkUrl(variable)) : [],
  );
  for (const variable of [CALLBACK_URL, POST_LOGOUT_URL]) {
    if (!variable || !APP_URL) continue;
    if (!URL.canParse(variable.value) || !URL.canParse(APP_URL.value)) continue;
    const [one, other] = [new URL(variable.value), new URL(APP_URL.value)];
    if (one.host === other.host) continue;
    results.push(
      error(
        'URL_OTHER_HOST',
        `${variable.name} is at another host than APP_URL, so the session cookie will be missing there`,
        'use the same host for both',
        `${variable.name}, APP_URL`,
      ),
    );
  }
  return results;
}

function checkCookies({ COOKIE_SECURE, APP_URL, CALLBACK_URL }: Variables): Result[] {
  if (!COOKIE_SECURE) return [];
  const { name, value } = COOKIE_SECURE;
  if (value !== 'true' && value !== 'false')
    return [
      error(
        'COOKIE_SECURE_SHAPE',
        `${name} is neither true nor false`,
        'write true or false',
        name,
      ),
    ];
  const site = [APP_URL, CALLBACK_URL].find((url) => url && URL.canParse(url.value));
  const https = site && new URL(site.value).protocol === 'https:';
  if (value === 'false' && https)
    return [
      error(
        'COOKIE_NOT_SECURE',
        `${name} is false although ${site.name} is https`,
        'set it to true: session cookies would also be sent over http',
        `${name}, ${site.name}`,
      ),
    ];
  if (value === 'true' && site && !https)
    return [
      error(
        'COOKIE_SECURE_ON_HTTP',
        `${name} is true although ${site.name} is http, where browsers drop such cookies`,
        'set it to false for local work, or use https',
        `${name}, ${site.name}`,
      ),
    ];
  return [{ passed: name }];
}

function error(id: string, message: string, fix: string, evidence: string): Finding {
  return { id, severity: 'error', message, fix, evidence };
}
