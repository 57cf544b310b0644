// weft control-plane: shown in the help only; main.ts starts the control plane before commander loads.
import { Command } from 'commander';
import type { CommandMaker } from '../program.ts';

export const controlPlaneCommand: CommandMaker = () =>
  new Command('control-plane').description('run the control plane by itself: weft control-plane --help');
