import { fixturesIn, sourceContract } from '../../connector-kit/src/contract/index.js';
import { publish } from './definition.js';

sourceContract(publish, { fixtures: fixturesIn(import.meta.dirname) });
