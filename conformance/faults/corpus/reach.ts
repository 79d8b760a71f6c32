import { type Fault, PUBLIC, redirectTo } from '../fault.ts';
import { html, json } from '../http.ts';
import { post } from '../probe.ts';

export const REACH: readonly Fault[] = [
  {
    id: 'insecure-http',
    step: 'reach',
    wrong:
      'The server is on the internet and speaks plain http, so that tokens can be read on the way.',
    names: { ...PUBLIC, resource: 'http://mcp.example.test' },
    visible: async (at) => {
      const { protocol, hostname } = new URL(at.mcp);
      return protocol === 'http:' && hostname !== '127.0.0.1';
    },
  },
  {
    id: 'tls-invalid',
    step: 'reach',
    wrong: 'The certificate is signed by nobody but itself.',
    selfSigned: true,
    visible: async (at) => {
      try {
        await post(at);
        return false;
      } catch (error) {
        return JSON.stringify(Object(error).cause).includes('SELF_SIGNED');
      }
    },
  },
  {
    id: 'redirect-loop',
    step: 'reach',
    wrong: 'The framework adds a slash to the path and the proxy before it takes the slash away.',
    change: () => ({
      resourceFront: async (request, next) => {
        if (request.path === '/mcp') return redirectTo('/mcp/');
        if (request.path === '/mcp/') return redirectTo('/mcp');
        return next();
      },
    }),
    visible: async (at) => (await post(at)).headers.get('location') === '/mcp/',
  },
  {
    id: 'endpoint-not-found',
    step: 'reach',
    wrong: 'The endpoint was moved to another path and its documented address answers 404.',
    change: () => ({
      resourceFront: async (request, next) =>
        request.path === '/mcp' ? json(404, { message: 'Cannot POST /mcp' }) : next(),
    }),
    visible: async (at) => (await post(at)).status === 404,
  },
  {
    id: 'server-error',
    step: 'reach',
    wrong: 'The proxy is there and the server behind it is not.',
    change: () => ({
      resourceFront: async (request, next) =>
        request.path === '/mcp' ? html(502, 'Bad Gateway') : next(),
    }),
    visible: async (at) => (await post(at)).status === 502,
  },
];
