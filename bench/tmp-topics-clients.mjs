import { openRaw } from './support/raw-client.mjs';
import { serve } from './support/rpc.mjs';
serve({ async open(port, count) { let at = 0; await Promise.all(Array.from({ length: 100 }, async () => { while (at < count) { const n = at++; await new Promise((r) => openRaw({ port, path: `/events/${n}`, onFrame: ({ id }) => r() })); } })); } });
