const { resolve } = require('node:path');

module.exports = {
  // Where the test wants it, so that several runs do not disturb one another.
  distDir: process.env.NEXT_DIST ?? '.next',
  // RFC 9728 clients may put a slash behind the metadata address; Next.js would send them elsewhere.
  skipTrailingSlashRedirect: true,
  // The adapters are sources here and not built packages, so Next.js compiles them with the app.
  turbopack: { root: resolve(__dirname, '../../..') },
  serverExternalPackages: ['mcp-handler', 'zod'],
  transpilePackages: ['@gatewarden/next', '@gatewarden/resource-server'],
};
