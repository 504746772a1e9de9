import { type DynamicModule, Module } from '@nestjs/common';
import { type ConnectorPorts, ConnectorStage } from '@tributary/pipeline';
import { DeliveryConsumer } from './delivery.consumer.js';
import { type ConnectorScope, SCOPE } from './tokens.js';

@Module({})
export class ConnectorModule {
  static with(ports: ConnectorPorts, scope: Omit<ConnectorScope, 'destination'>): DynamicModule {
    return {
      module: ConnectorModule,
      controllers: [DeliveryConsumer],
      providers: [
        { provide: ConnectorStage, useFactory: () => new ConnectorStage(ports) },
        { provide: SCOPE, useValue: { destination: ports.destination, ...scope } },
      ],
    };
  }
}
