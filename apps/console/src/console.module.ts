import { type DynamicModule, Module } from '@nestjs/common';
import { AuditApi, type AuditApiPorts } from '@tributary/operations/audit';

@Module({})
export class ConsoleModule {
  static with(audit: AuditApiPorts): DynamicModule {
    return { module: ConsoleModule, providers: [{ provide: AuditApi, useFactory: () => new AuditApi(audit) }] };
  }
}
