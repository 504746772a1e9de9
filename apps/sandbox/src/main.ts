import { InvalidSettings, readSettings } from '@tributary/config';
import { createLogger } from '@tributary/telemetry';
import { createSandbox } from './sandbox-app.js';
import { Rules, sandboxSettings } from './settings.js';

async function main(): Promise<void> {
  const settings = readSettings(sandboxSettings);
  const logger = createLogger({ service: 'sandbox', instance: String(process.pid), level: settings.logLevel });
  const app = await createSandbox(new Rules(settings));
  await app.listen(settings.port, settings.host);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      void app.close().then(() => process.exit(0));
    });
  }
  const { port } = app.getHttpServer().address() as { port: number };
  logger.info({ port }, 'service.started');
}

await main().catch((error: Error) => {
  process.stderr.write(`sandbox: ${error.message}\n`);
  process.exit(error instanceof InvalidSettings ? 78 : 1);
});
