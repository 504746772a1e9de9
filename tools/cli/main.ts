#!/usr/bin/env node
import { createProgram } from './program.js';

await createProgram().parseAsync();
// A connection that was still being opened when its session closed would keep a person, or a script, waiting for ever.
process.stdout.write('', () => process.exit());
