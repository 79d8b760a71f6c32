import { ConfigurationError } from './errors.ts';

/** Whether a host name (as in `URL.hostname`) names this machine and nothing else. */
export function isLoopbackName(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname === '[::1]' ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
  );
}

/** Whether a socket's address is of this machine. */
export function isLoopbackAddress(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(address);
}

/** https anywhere, http only where the network cannot listen. */
export function isSecureOrLoopback(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackName(url.hostname));
}

/**
 * Reads an absolute http(s) URL of the configuration.
 *
 * @throws {ConfigurationError} invalid_url: not a URL, or with user information, query or fragment
 */
export function configuredUrl(option: string, value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const plain =
    url &&
    (url.protocol === 'https:' || url.protocol === 'http:') &&
    !url.username &&
    !url.password;
  if (!url || !plain || /[?#\s]/.test(value)) {
    throw new ConfigurationError(
      'invalid_url',
      `${option} must be an absolute http(s) URL without user information, query or fragment`,
    );
  }
  return url;
}

/**
 * Reads an issuer or key set URL: as above, and https unless it is on this machine (RFC 8414 §2).
 *
 * @throws {ConfigurationError} invalid_url
 */
export function configuredSecureUrl(option: string, value: string): URL {
  const url = configuredUrl(option, value);
  if (!isSecureOrLoopback(url)) {
    throw new ConfigurationError(
      'invalid_url',
      `${option} must use https (http only at localhost)`,
    );
  }
  return url;
}
