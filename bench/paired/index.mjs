import { burst, fanOut, pair, saturation, topics } from './deliveries.mjs';
import { lone, loneWarm } from './lone.mjs';
import { idle, opening } from './opening.mjs';
import { retained, unread } from './publishing.mjs';

/** In the order in which they run. */
export const PAIRED = [topics, pair, unread, retained, opening, lone, loneWarm, idle, fanOut, burst, saturation];
