import { type Fault, MCP } from './fault.ts';

/** Faults of the steps `keys` and `registration`. */
export const keyFaults = {
  'jwks-missing': {
    title: 'The key set cannot be read',
    severity: 'error',
    step: 'keys',
    rule: {
      source: 'RFC 8414',
      section: '§2',
      says: 'jwks_uri is the address of a JSON Web Key Set with the keys that sign tokens.',
    },
    fix: 'Serve {"keys":[…]} as JSON at the address in jwks_uri, or correct jwks_uri.',
  },
  'jwks-empty': {
    title: 'The key set has no key',
    severity: 'error',
    step: 'keys',
    rule: {
      source: 'RFC 7517',
      section: '§5',
      says: 'keys is an array of keys; without one no token can be verified.',
    },
    fix: 'Create a signing key and publish its public half.',
  },
  'jwks-private-key': {
    title: 'The key set publishes a private key',
    severity: 'error',
    step: 'keys',
    rule: {
      source: 'RFC 7517',
      section: '§9.2',
      says: 'Private members of a key never leave its owner; who has them can sign tokens.',
    },
    fix: 'Withdraw this key now, sign with a new one, refuse all tokens of the old one, and publish public members only.',
  },
  'jwks-symmetric-key': {
    title: 'The key set publishes a shared secret',
    severity: 'error',
    step: 'keys',
    rule: {
      source: 'RFC 7517',
      section: '§9.2',
      says: 'A key of type oct is a secret; who reads it can sign tokens.',
    },
    fix: 'Withdraw this key now and sign with an asymmetric algorithm (RS256, ES256, EdDSA).',
  },
  'jwks-weak-key': {
    title: 'A signing key is too short',
    severity: 'error',
    step: 'keys',
    rule: {
      source: 'RFC 7518',
      section: '§3.3',
      says: 'RSA keys for signatures have at least 2048 bits.',
    },
    fix: 'Rotate to an RSA key of 2048 bits or more.',
  },
  'jwks-redirects-elsewhere': {
    title: 'The key set redirects to another host',
    severity: 'error',
    step: 'keys',
    rule: {
      source: 'RFC 8414',
      section: '§2',
      says: 'jwks_uri is itself the address of the keys; careful verifiers follow no redirect to another host.',
    },
    fix: 'Put the final address into jwks_uri.',
  },
  'registration-missing': {
    title: 'Clients cannot register themselves',
    severity: 'warning',
    step: 'registration',
    rule: {
      source: MCP,
      section: 'Client Registration Approaches',
      says: 'Clients that are unknown to a server use client ID metadata documents, or dynamic registration.',
    },
    fix: 'Support client ID metadata documents ("client_id_metadata_document_supported": true) or dynamic registration (registration_endpoint); otherwise every person has to enter a client id by hand.',
  },
  'registration-insecure': {
    title: 'The registration endpoint has an http address',
    severity: 'error',
    step: 'registration',
    rule: {
      source: 'RFC 7591',
      section: '§5',
      says: 'Registration carries secrets and is served over TLS.',
    },
    fix: 'Set the https address of the registration endpoint in the metadata.',
  },
} as const satisfies Record<string, Fault>;
