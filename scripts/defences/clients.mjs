// The proxies of docs/scaling.md: see list.mjs.

export const clients = [
  {
    name: 'behind nginx a client without a node is told to come back',
    file: 'docs/scaling.md',
    find: 'error_page 502 504 = @later;',
    replace: 'error_page 502 504 =404 /;',
    spec: 'test/proxies/nginx.spec.ts',
    test: 'loses nothing',
  },
  {
    name: 'behind HAProxy a client that leaves is noticed at once',
    file: 'docs/scaling.md',
    find: '  option abortonclose ',
    replace: '  # ',
    spec: 'test/proxies/haproxy.spec.ts',
    test: 'a client that leaves',
  },
  {
    name: 'behind HAProxy a node that cannot be reached costs no time',
    file: 'docs/scaling.md',
    find: 'option redispatch 1 ',
    replace: '# ',
    spec: 'test/proxies/haproxy.spec.ts',
    test: 'a node that cannot be reached',
  },
  {
    name: 'behind HAProxy a node that dies before it has answered ends no EventSource',
    file: 'docs/scaling.md',
    find: '  errorfile 502 /etc/haproxy/later.http\n',
    replace: '',
    spec: 'test/proxies/haproxy.spec.ts',
    test: 'told to come back',
  },
];
