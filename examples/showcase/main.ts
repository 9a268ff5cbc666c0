import { createApp } from './app.js';

const app = await createApp();
await app.listen(Number(process.env.PORT || 3000));
const { port } = new URL(await app.getUrl());
console.log(`Ready: http://localhost:${port} (Ctrl-C drains the streams and ends)`);
