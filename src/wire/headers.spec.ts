import { describe, expect, it } from '@jest/globals';
import { streamHeaders } from './headers.js';

const defaults = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache, no-store, no-transform',
  'X-Accel-Buffering': 'no',
  Incremental: '?1',
  'X-Content-Type-Options': 'nosniff',
};

describe('streamHeaders', () => {
  it.each([true, false])('makes the headers of a stream (HTTP/2: %p)', (http2) => {
    expect(streamHeaders({ http2 })).toEqual(defaults);
  });

  it('keeps what the framework has set, in its own writing', () => {
    const inherited = {
      'access-control-allow-origin': 'https://a.example',
      vary: ['Origin', 'Cookie'],
      'Set-Cookie': ['a=1', 'b=2'],
      'X-Request-Id': 7,
    };
    expect(streamHeaders({ http2: false, inherited })).toEqual({ ...inherited, ...defaults });
  });

  it.each([
    'content-type',
    'Content-Length',
    'CONTENT-ENCODING',
    'Transfer-Encoding',
    'Cache-Control',
    'ETag',
    'Expires',
    'Last-Modified',
    'Connection',
    'Keep-Alive',
    'Upgrade',
  ])('drops the inherited %s, which was meant for another body', (name) => {
    expect(streamHeaders({ http2: false, inherited: { [name]: 'x' } })).toEqual(defaults);
  });

  it('drops an inherited header that is undefined', () => {
    expect(streamHeaders({ http2: false, inherited: { vary: undefined } })).toEqual(defaults);
  });

  it('lets the route override inherited and default headers, whatever their case', () => {
    const inherited = { 'X-Tenant': 'a', vary: 'Origin' };
    const own = { 'cache-control': 'no-cache', 'x-tenant': 'b', VARY: 'Cookie', 'x-accel-buffering': 'yes' };
    expect(streamHeaders({ http2: false, inherited, own })).toEqual({
      'Content-Type': defaults['Content-Type'],
      Incremental: '?1',
      'X-Content-Type-Options': 'nosniff',
      ...own,
    });
  });

  it.each(['content-type', 'Content-Type', 'Content-Length', 'transfer-encoding'])(
    'leaves out %s of the route',
    (name) => {
      expect(streamHeaders({ http2: false, own: { [name]: '1' } })).toEqual(defaults);
    },
  );

  it.each(['Connection', 'keep-alive', 'Proxy-Connection', 'Upgrade', 'TE', 'HTTP2-Settings'])(
    'leaves out %s of the route on HTTP/2 only',
    (name) => {
      expect(streamHeaders({ http2: true, own: { [name]: 'x' } })).toEqual(defaults);
      expect(streamHeaders({ http2: false, own: { [name]: 'x' } })).toEqual({ ...defaults, [name]: 'x' });
    },
  );

  it('takes __proto__ for a name like any other', () => {
    const headers = streamHeaders({ http2: false, inherited: JSON.parse('{"__proto__":"x"}') });
    expect(Object.getPrototypeOf(headers)).toBe(Object.getPrototypeOf({}));
    expect(Object.keys(headers)).toContain('__proto__');
  });
});
