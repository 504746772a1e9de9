import { type DynamicModule, Module } from '@nestjs/common';
import { type LedgerPorts, LedgerStage } from '@tributary/pipeline';
import { AuditConsumer } from './audit.consumer.js';
import { CONCURRENCY } from './tokens.js';

@Module({})
export class AuditLoggerModule {
  static with(ports: LedgerPorts, concurrency: number): DynamicModule {
    return {
      module: AuditLoggerModule,
      controllers: [AuditConsumer],
      providers: [
        { provide: LedgerStage, useFactory: () => new LedgerStage(ports) },
        { provide: CONCURRENCY, useValue: concurrency },
      ],
    };
  }
}
