import type { Finding } from './findings.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Variables of an application, by the name our documentation uses; the others are older names of the same. */
const prefixed = ['ENVIRONMENT_URL', 'CLIENT_ID', 'CLIENT_SECRET', 'RESOURCE_ID'] as const;
const plain = ['CALLBACK_URL', 'POST_LOGOUT_URL', 'APP_URL', 'COOKIE_SECURE'] as const;

export type VariableName = (typeof prefixed)[number] | (typeof plain)[number];

/** A variable as it was found: `name` is the one that was set. */
export type Variable = { readonly name: string; readonly value: string };
export type Variables = Partial<Record<VariableName, Variable>>;

/** Names of other generations of samples, and the name that is read. */
const oldNames: Readonly<Record<string, string>> = {
  SK_ENV_URL: 'GATEWARDEN_ENVIRONMENT_URL',
  SK_ENVIRONMENT_URL: 'GATEWARDEN_ENVIRONMENT_URL',
  SK_CLIENT_ID: 'GATEWARDEN_CLIENT_ID',
  SK_CLIENT_SECRET: 'GATEWARDEN_CLIENT_SECRET',
  SCALEKIT_ENV_URL: 'SCALEKIT_ENVIRONMENT_URL',
  SCALEKIT_CALLBACK_URL: 'CALLBACK_URL',
  SCALEKIT_REDIRECT_URI: 'CALLBACK_URL',
};

/**
 * Reads the variables of an application: `GATEWARDEN_…` first, then `SCALEKIT_…` (SKILL-4). Two that differ are
 * an error, because one library reads the first and another the second.
 */
export function readVariables(env: Env): { variables: Variables; findings: Finding[] } {
  const variables: Variables = {};
  const findings: Finding[] = [];
  for (const suffix of prefixed) {
    const [ours, theirs] = [`GATEWARDEN_${suffix}`, `SCALEKIT_${suffix}`];
    const [first, second] = [env[ours], env[theirs]];
    if (first && second && first !== second) findings.push(conflict(ours, theirs));
    if (first) variables[suffix] = { name: ours, value: first };
    else if (second) variables[suffix] = { name: theirs, value: second };
  }
  for (const name of plain) {
    const value = env[name];
    if (value) variables[name] = { name, value };
  }
  for (const [old, name] of Object.entries(oldNames)) {
    if (env[old]) findings.push(renamed(old, name));
  }
  return { variables, findings };
}

function conflict(ours: string, theirs: string): Finding {
  return {
    id: 'ENV_CONFLICT',
    severity: 'error',
    message: `${ours} and ${theirs} are both set and differ`,
    fix: `remove one of them, or give both the same value; ${ours} is the one that is read`,
    evidence: `${ours}, ${theirs}`,
  };
}

function renamed(old: string, name: string): Finding {
  return {
    id: 'ENV_OLD_NAME',
    severity: 'warning',
    message: `${old} is a name nothing reads`,
    fix: `call it ${name}`,
    evidence: old,
  };
}
