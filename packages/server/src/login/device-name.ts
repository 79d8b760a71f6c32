import { deviceOf } from '../sessions/device.ts';

/** "Firefox on Windows", for people. A guess from a header that anybody can write: never decide anything by it. */
export function deviceName(userAgent: string): string {
  const { browser, model } = deviceOf(userAgent);
  if (browser !== '' && model !== '') return `${browser} on ${model}`;
  return browser || model || 'an unknown device';
}
