import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { SandboxModule } from './sandbox.module.js';
import { Rules } from './settings.js';

const largestBody = 8 * 1024 * 1024;

/** The sandbox, not yet listening. */
export async function createSandbox(rules: Rules): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({ bodyLimit: largestBody, forceCloseConnections: true });
  const options = { bodyParser: false, logger: ['error', 'warn'] as ('error' | 'warn')[] };
  const app = await NestFactory.create<NestFastifyApplication>(SandboxModule.with(rules), adapter, options);
  // Bodies stay bytes: they are what is signed.
  const fastify = adapter.getInstance();
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  return app;
}
