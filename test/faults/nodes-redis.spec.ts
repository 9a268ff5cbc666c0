import { nodeFaults } from './support/nodes/suite.js';

nodeFaults('redis');
