import { burst } from './burst.mjs';
import { connects } from './connects.mjs';
import { fanOut } from './fan-out.mjs';
import { growthConnections, growthHistory, growthPatterns, growthTopics } from './growth.mjs';
import { idle } from './idle.mjs';
import { latency } from './latency.mjs';
import { offered } from './offered.mjs';
import { resumeStorm } from './resume-storm.mjs';
import { saturation } from './saturation.mjs';
import { secure } from './secure.mjs';
import { slowReaders, slowReadersFast } from './slow-readers.mjs';
import { sources } from './sources.mjs';
import { topics } from './topics.mjs';

/** In the order in which they run. */
export const SCENARIOS = [
  ...[
    fanOut,
    burst,
    saturation,
    offered,
    sources,
    topics,
    idle,
    connects,
    slowReaders,
    slowReadersFast,
    resumeStorm,
    latency,
  ],
  ...[growthConnections, growthTopics, growthPatterns, growthHistory, secure],
];
