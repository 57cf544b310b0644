// weft proxy: shown in the help only; main.ts starts the data plane before commander loads.
import { Command } from 'commander';
import type { CommandMaker } from '../program.ts';

export const proxyCommand: CommandMaker = () =>
  new Command('proxy').description(
    "run the data plane by itself with a bootstrap file in Envoy's v3 format: weft proxy -c FILE",
  );
