import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { testConnectionCommand } from './test-connection.ts';
import { testLoginCommand } from './test-login.ts';

/** `gatewarden test …`: what an application will meet, tried out before it is deployed. */
export function testCommand(program: Command, io: Io): void {
  const test = program
    .command('test')
    .description('Try out the settings of an application against a running environment.');
  testConnectionCommand(test, io);
  testLoginCommand(test, io);
}
