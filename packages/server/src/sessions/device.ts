/** What a browser says of itself. Guesses from a header that anybody can write: never decide anything by them. */
export type Device = {
  readonly browser: string;
  readonly browserVersion: string;
  readonly os: string;
  readonly osVersion: string;
  readonly deviceType: 'Desktop' | 'Mobile' | 'Tablet' | 'Unknown';
  /** What people call the machine: "iPhone", or the system where nothing more is known. */
  readonly model: string;
};

/** The first that fits counts: most browsers also claim to be those they descend from. The group is the version. */
const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/\bEdg(?:e|A|iOS)?\/([\d.]{1,30})?/, 'Edge'],
  [/\bOPR\/([\d.]{1,30})?|\bOpera\b/, 'Opera'],
  [/\bSamsungBrowser\/([\d.]{1,30})?/, 'Samsung Internet'],
  [/\b(?:Firefox|FxiOS)\/([\d.]{1,30})?/, 'Firefox'],
  [/\b(?:Chrome|CriOS)\/([\d.]{1,30})?/, 'Chrome'],
  [/\bVersion\/([\d.]{1,30})?.*\bSafari\//, 'Safari'],
];

type System = {
  readonly pattern: RegExp;
  readonly os: string;
  readonly model: string;
  readonly deviceType: Device['deviceType'];
};
const SYSTEMS: readonly System[] = [
  {
    pattern: /\biPhone\b(?:.*? OS ([\d_]{1,20}))?/,
    os: 'iOS',
    model: 'iPhone',
    deviceType: 'Mobile',
  },
  { pattern: /\biPad\b(?:.*? OS ([\d_]{1,20}))?/, os: 'iOS', model: 'iPad', deviceType: 'Tablet' },
  {
    pattern: /\bAndroid\b(?: ([\d.]{1,20}))?/,
    os: 'Android',
    model: 'Android',
    deviceType: 'Mobile',
  },
  {
    pattern: /\bWindows\b(?: NT ([\d.]{1,20}))?/,
    os: 'Windows',
    model: 'Windows',
    deviceType: 'Desktop',
  },
  {
    pattern: /\b(?:Mac OS X|Macintosh)\b(?:.*?\bMac OS X ([\d_.]{1,20})| ([\d_.]{1,20}))?/,
    os: 'macOS',
    model: 'Mac',
    deviceType: 'Desktop',
  },
  { pattern: /\bCrOS\b/, os: 'ChromeOS', model: 'ChromeOS', deviceType: 'Desktop' },
  { pattern: /\bLinux\b/, os: 'Linux', model: 'Linux', deviceType: 'Desktop' },
];

/** Reads a user agent; empty texts and "Unknown" where it says nothing we know. */
export function deviceOf(userAgent: string): Device {
  const browser = firstOf(BROWSERS, userAgent);
  const system = SYSTEMS.find(({ pattern }) => pattern.test(userAgent));
  const version = system?.pattern.exec(userAgent);
  return {
    browser: browser?.name ?? '',
    browserVersion: browser?.version ?? '',
    os: system?.os ?? '',
    osVersion: (version?.[1] ?? version?.[2] ?? '').replaceAll('_', '.'),
    deviceType: typeOf(system, userAgent),
    model: system?.model ?? '',
  };
}

function firstOf(
  patterns: readonly (readonly [RegExp, string])[],
  userAgent: string,
): { name: string; version: string } | undefined {
  for (const [pattern, name] of patterns) {
    const found = pattern.exec(userAgent);
    if (found) return { name, version: found[1] ?? '' };
  }
  return undefined;
}

/** Phones with Android say "Mobile", tablets with it do not. */
function typeOf(system: System | undefined, userAgent: string): Device['deviceType'] {
  if (!system) return 'Unknown';
  if (system.os === 'Android' && !/\bMobile\b/.test(userAgent)) return 'Tablet';
  return system.deviceType;
}
