import { nodeFaults } from './support/nodes/suite.js';

nodeFaults('nats');
