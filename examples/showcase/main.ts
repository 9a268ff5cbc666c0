import { createApp } from './app.js';

const port = Number(process.env.PORT || 3000);
const app = await createApp();
await app.listen(port);
console.log(`The showcase is at http://localhost:${port} (Ctrl-C drains the streams and ends)`);
