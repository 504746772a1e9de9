import { type DynamicModule, Module } from '@nestjs/common';
import { type NormalizerPorts, NormalizerStage } from '@tributary/pipeline';
import { RawConsumer } from './raw.consumer.js';
import { CONCURRENCY } from './tokens.js';

@Module({})
export class NormalizerModule {
  static with(ports: NormalizerPorts, concurrency: number): DynamicModule {
    return {
      module: NormalizerModule,
      controllers: [RawConsumer],
      providers: [
        { provide: NormalizerStage, useFactory: () => new NormalizerStage(ports) },
        { provide: CONCURRENCY, useValue: concurrency },
      ],
    };
  }
}
