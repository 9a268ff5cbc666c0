import { openRaw } from './support/raw-client.mjs';
import { connect } from 'node:net';
import { serve } from './support/rpc.mjs';
const open = [];
serve({ async open(port, count, path) { let at = 0; const t = performance.now(); await Promise.all(Array.from({ length: 64 }, async () => { while (at < count) { at++; await new Promise((r) => { const c = openRaw({ port, path, onHead: () => { if (path === '/plain') c.socket.destroy(); r(); }, onOver: () => r() }); if (path !== '/plain') open.push(c); }); } })); return performance.now() - t; }, close() { for (const c of open.splice(0)) c.socket.destroy(); } });
