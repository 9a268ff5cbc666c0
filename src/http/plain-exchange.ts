import type { OutgoingHttpHeaders } from 'node:http';
import { Exchange } from './exchange.js';
import type { StreamHeaders } from './headers.js';
import { endResponse } from './raw-response.js';

/** On Express, and on any adapter whose response is Node's own. */
export class PlainExchange extends Exchange {
  sendNoContent(): void {
    this.raw.statusCode = 204;
    endResponse(this.raw, undefined, this);
  }

  protected inherited(): Readonly<OutgoingHttpHeaders> {
    return this.raw.getHeaders();
  }

  setHeader(name: string, value: string | string[]): void {
    this.raw.setHeader(name, value);
  }

  protected async sendHead(headers: Readonly<StreamHeaders>): Promise<boolean> {
    // Only what is not to be sent: once a header has been removed, Node keeps all of them in a larger form.
    for (const name of this.raw.getHeaderNames()) if (!(name in headers)) this.raw.removeHeader(name);
    // A copy: a middleware's own may change what it is given.
    await this.writeHead({ ...headers });
    this.forgetNext();
    return true;
  }
}
