import { describe, expect, it } from '@jest/globals';
import { acceptsGzip, streamHeaders } from './headers.js';

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

describe('streamHeaders of a stream that may be packed', () => {
  it('says that the body is packed, whatever the route says of it', () => {
    const headers = streamHeaders({ http2: false, own: { 'content-encoding': 'br' }, encoding: 'gzip' });
    expect(headers).toEqual({ ...defaults, 'Content-Encoding': 'gzip', Vary: 'Accept-Encoding' });
  });

  it('tells caches that it could have been otherwise, also where it is not packed', () => {
    expect(streamHeaders({ http2: true, encoding: 'identity' })).toEqual({ ...defaults, Vary: 'Accept-Encoding' });
  });

  it.each([
    ['Origin', 'Origin, Accept-Encoding'],
    [['Origin', 'Cookie'], 'Origin, Cookie, Accept-Encoding'],
    ['Origin, accept-encoding', 'Origin, accept-encoding'],
    ['Origin,Accept-Encoding,Cookie', 'Origin,Accept-Encoding,Cookie'],
    ['*', '*'],
    ['X-Accept-Encoding', 'X-Accept-Encoding, Accept-Encoding'],
  ])('adds to the Vary of the framework: %j', (vary, expected) => {
    const headers = streamHeaders({ http2: false, inherited: { vary }, encoding: 'gzip' });
    expect(headers).toEqual({ ...defaults, 'Content-Encoding': 'gzip', Vary: expected });
  });
});

describe('acceptsGzip', () => {
  it.each([
    'gzip',
    'GZIP',
    'x-gzip',
    'gzip, deflate, br, zstd',
    'br;q=1.0, gzip;q=0.8, *;q=0.1',
    'deflate , gzip ; q=0.5',
    '*',
    'gzip;q=0.5, identity;q=0.5',
    'identity;q=0, gzip;q=0.001',
  ])('holds for %j', (header) => {
    expect(acceptsGzip(header)).toBe(true);
  });

  it.each([
    undefined,
    '',
    'identity',
    'br, deflate',
    'gzip;q=0',
    'gzip;q=0.0, *',
    '*;q=0',
    'gzip;q=0.5, identity',
    'gzip;q=high',
    'gzipped',
    ';;,,=',
  ])('does not for %j', (header) => {
    expect(acceptsGzip(header)).toBe(false);
  });
});
