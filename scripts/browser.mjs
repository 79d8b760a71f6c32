// Browser tests need Chromium: an installed one is found, Debian's is installed where that is possible.
import { existsSync } from 'node:fs';
import { run } from './child.mjs';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

const find = () =>
  [process.env['CHROMIUM_PATH'], ...PLACES].find((path) => path && existsSync(path));

/** Path of a browser, or undefined with the reason printed. */
export async function findBrowser() {
  const found = find();
  if (found) return found;
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    console.error('Installing the Debian package chromium for the browser tests …');
    const options = {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    };
    await run('apt-get', ['-qq', 'update'], options);
    await run('apt-get', ['-qq', '-y', 'install', '--no-install-recommends', 'chromium'], options);
    const installed = find();
    if (installed) return installed;
  }
  console.error(
    'No Chromium: the browser tests are skipped. Install the package chromium, or set CHROMIUM_PATH.',
  );
  return undefined;
}
