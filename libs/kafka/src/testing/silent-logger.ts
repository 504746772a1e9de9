import type { Logger } from '../connection/logger.js';

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
