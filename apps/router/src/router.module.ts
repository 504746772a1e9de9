import { type DynamicModule, Module } from '@nestjs/common';
import { type RouterPorts, RouterStage } from '@tributary/pipeline';
import { EventConsumer } from './event.consumer.js';
import { CONCURRENCY } from './tokens.js';

@Module({})
export class RouterModule {
  static with(ports: RouterPorts, concurrency: number): DynamicModule {
    return {
      module: RouterModule,
      controllers: [EventConsumer],
      providers: [
        { provide: RouterStage, useFactory: () => new RouterStage(ports) },
        { provide: CONCURRENCY, useValue: concurrency },
      ],
    };
  }
}
