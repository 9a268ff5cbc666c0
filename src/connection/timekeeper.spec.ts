import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type TimedSettings, type TimedStream, Timekeeper } from './timekeeper.js';
import { Wheel } from './wheel.js';

const never: TimedSettings = { heartbeatMs: false, stallTimeoutMs: false, maxLifetimeMs: false };

/** Notes what is done to it, and when. */
class Watched implements TimedStream {
  settings = never;
  readonly output: { lastWriteAtMs: number; blockedSinceMs: number | undefined } = {
    lastWriteAtMs: performance.now(),
    blockedSinceMs: undefined,
  };
  readonly done: string[] = [];
  onBeat: () => void = () => undefined;
  readonly #start = performance.now();

  beat(): void {
    this.#note('beat');
    this.onBeat();
  }

  end(reason: string): void {
    this.#note(reason);
  }

  drop(): void {
    this.#note('drop');
  }

  #note(what: string): void {
    this.done.push(`${what} at ${Math.floor((performance.now() - this.#start) / 100) * 100}`);
  }
}

describe('a timekeeper', () => {
  let wheel: Wheel;
  let stream: Watched;

  beforeEach(() => {
    jest.useFakeTimers();
    wheel = new Wheel();
    stream = new Watched();
  });

  afterEach(() => {
    wheel.close();
    jest.useRealTimers();
  });

  const keep = (settings: Partial<TimedSettings>, expiresAt?: Date | number): Timekeeper => {
    stream.settings = { ...never, ...settings };
    return new Timekeeper(wheel, stream, { id: 'ann', expiresAt });
  };

  it('without anything to watch takes no timer', () => {
    keep({});

    expect(jest.getTimerCount()).toBe(0);
  });

  it('beats each time that the stream has been silent for that long', () => {
    keep({ heartbeatMs: 1_000 });
    stream.onBeat = () => void (stream.output.lastWriteAtMs = performance.now());
    jest.advanceTimersByTime(3_200);

    expect(stream.done).toEqual(['beat at 1000', 'beat at 2000', 'beat at 3000']);
  });

  it('does not beat while there is something to say', () => {
    keep({ heartbeatMs: 1_000 });
    for (let n = 0; n < 10; n++) {
      jest.advanceTimersByTime(900);
      stream.output.lastWriteAtMs = performance.now();
    }

    expect(stream.done).toEqual([]);
  });

  it('does not beat for a client that does not read, and ends it after the stall timeout', () => {
    keep({ heartbeatMs: 1_000, stallTimeoutMs: 5_000 });
    stream.output.blockedSinceMs = performance.now();
    jest.advanceTimersByTime(5_100);

    expect(stream.done).toEqual(['slow-consumer at 5000']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('a client that reads again in time is not ended, and has the whole time anew', () => {
    keep({ stallTimeoutMs: 1_000 });
    stream.output.blockedSinceMs = performance.now();
    jest.advanceTimersByTime(900);
    stream.output.blockedSinceMs = performance.now();
    jest.advanceTimersByTime(900);
    stream.output.blockedSinceMs = undefined;
    jest.advanceTimersByTime(10_000);

    expect(stream.done).toEqual([]);
  });

  it('ends a client that takes nothing although its stream goes on being written to', () => {
    keep({ stallTimeoutMs: 1_000 });
    stream.output.blockedSinceMs = performance.now();
    for (let n = 0; n < 30; n++) {
      stream.output.lastWriteAtMs = performance.now();
      jest.advanceTimersByTime(100);
    }

    expect(stream.done).toEqual(['slow-consumer at 1000']);
  });

  it.each([(at: number) => at, (at: number) => new Date(at)])(
    'ends the stream when its principal expires, in ms or as a date',
    (form) => {
      keep({}, form(Date.now() + 2_000));
      jest.advanceTimersByTime(2_100);

      expect(stream.done).toEqual(['expired at 2000']);
    },
  );

  it('ends the stream of a principal that expires beyond what one timer of Node can wait', () => {
    keep({}, Date.now() + 40 * 86_400_000);
    jest.advanceTimersByTime(39 * 86_400_000);
    expect(stream.done).toEqual([]);
    jest.advanceTimersByTime(2 * 86_400_000);

    expect(stream.done).toHaveLength(1);
  });

  it('whatever comes first of the lifetime and the expiry is the reason', () => {
    keep({ maxLifetimeMs: 1_000 }, Date.now() + 5_000);
    jest.advanceTimersByTime(1_100);
    expect(stream.done[0]).toMatch(/^lifetime/);

    stream = new Watched();
    keep({ maxLifetimeMs: 5_000 }, Date.now() + 1_000);
    jest.advanceTimersByTime(1_100);
    expect(stream.done[0]).toMatch(/^expired/);
  });

  it('spreads lifetimes evenly over 80 to 100 % of what was set', () => {
    const lived: number[] = [];
    const startedAt = performance.now();
    const expire = (): void => void lived.push(performance.now() - startedAt);
    for (let n = 0; n < 1_000; n++) {
      const one: TimedStream = {
        settings: { ...never, maxLifetimeMs: 100_000 },
        output: { lastWriteAtMs: 0, blockedSinceMs: undefined },
        beat: () => undefined,
        drop: () => undefined,
        end: expire,
      };
      new Timekeeper(wheel, one, null);
    }
    jest.advanceTimersByTime(100_100);

    const quarters = [80, 85, 90, 95].map(
      (s) => lived.filter((ms) => ms >= s * 1_000 && ms < s * 1_000 + 5_025).length,
    );
    expect(lived).toHaveLength(1_000);
    expect(Math.min(...lived)).toBeGreaterThanOrEqual(80_000);
    expect(Math.max(...lived)).toBeLessThanOrEqual(100_050);
    for (const count of quarters) expect(count).toBeGreaterThan(150);
  });

  it.each([
    [true, 'drop at 5000'],
    [false, 'drop at 20000'],
  ])('destroys a stream whose end is urgent: %s, and whose last bytes do not leave: %s', (isUrgent, done) => {
    const timekeeper = keep({ heartbeatMs: 100, stallTimeoutMs: 20_000, maxLifetimeMs: 1_000 });
    timekeeper.ended(isUrgent);
    jest.advanceTimersByTime(30_000);

    expect(stream.done).toEqual([done]);
  });

  it('waits for a client that takes the last bytes slowly', () => {
    const timekeeper = keep({ stallTimeoutMs: 1_000 });
    timekeeper.ended(false);
    for (let n = 0; n < 10; n++) {
      stream.output.blockedSinceMs = performance.now();
      jest.advanceTimersByTime(900);
    }
    expect(stream.done).toEqual([]);
    jest.advanceTimersByTime(200);

    expect(stream.done).toEqual(['drop at 9100']);
  });

  it('without a stall timeout waits for as long as it takes', () => {
    const timekeeper = keep({});
    timekeeper.ended(false);
    jest.advanceTimersByTime(3_600_000);

    expect(stream.done).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });

  describe('of a process that has stood still', () => {
    let stoodStillMs: number;
    const standStill = (ms: number): void => void (stoodStillMs += ms);
    beforeEach(() => {
      stoodStillMs = 0;
      const now = performance.now.bind(performance);
      jest.spyOn(performance, 'now').mockImplementation(() => now() + stoodStillMs);
    });
    afterEach(() => void jest.restoreAllMocks());

    it('gives a client its whole time to take something', () => {
      keep({ stallTimeoutMs: 2_000 });
      stream.output.blockedSinceMs = performance.now();
      jest.advanceTimersByTime(1_000);
      standStill(10_000);
      jest.advanceTimersByTime(700);
      expect(stream.done).toEqual([]);
      jest.advanceTimersByTime(500);

      expect(stream.done).toEqual([expect.stringMatching(/^slow-consumer at 11[6-9]00|12000$/)]);
    });

    it('gives it to one that has the last bytes to take', () => {
      const timekeeper = keep({ stallTimeoutMs: 2_000 });
      timekeeper.ended(false);
      jest.advanceTimersByTime(1_000);
      standStill(10_000);
      jest.advanceTimersByTime(700);
      expect(stream.done).toEqual([]);
      jest.advanceTimersByTime(500);

      expect(stream.done).toEqual([expect.stringMatching(/^drop at 11[6-9]00|12000$/)]);
    });

    it('does not put off the end of a lifetime, nor a principal that has expired', () => {
      keep({ stallTimeoutMs: 2_000 }, Date.now() + 5_000);
      jest.advanceTimersByTime(1_000);
      standStill(10_000);
      jest.advanceTimersByTime(300);

      expect(stream.done).toEqual([expect.stringMatching(/^expired/)]);
    });

    it('comes to an end with a client also when it stands still again and again', () => {
      keep({ stallTimeoutMs: 2_000 });
      stream.output.blockedSinceMs = performance.now();
      for (let n = 0; n < 12 && stream.done.length === 0; n++) {
        standStill(1_000);
        jest.advanceTimersByTime(250);
      }

      expect(stream.done).toHaveLength(1);
    });
  });

  it('does nothing once stopped', () => {
    const timekeeper = keep({ heartbeatMs: 100, stallTimeoutMs: 100, maxLifetimeMs: 1_000 }, Date.now() + 50);
    timekeeper.stop();
    jest.advanceTimersByTime(10_000);

    expect(stream.done).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });
});
