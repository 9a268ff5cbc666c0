import type { LoggerService } from '@nestjs/common';

/** A logger of an application that keeps what it is given. */
export class Log implements LoggerService {
  /** Everything that was logged, at every level, stacks and contexts included. */
  readonly lines: string[] = [];

  get text(): string {
    return this.lines.join('\n');
  }

  log(...given: unknown[]): void {
    this.lines.push(given.map(String).join(' '));
  }

  error(...given: unknown[]): void {
    this.log(...given);
  }

  warn(...given: unknown[]): void {
    this.log(...given);
  }

  debug(...given: unknown[]): void {
    this.log(...given);
  }

  verbose(...given: unknown[]): void {
    this.log(...given);
  }

  fatal(...given: unknown[]): void {
    this.log(...given);
  }
}
