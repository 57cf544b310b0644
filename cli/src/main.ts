// The `weft` command: hands `proxy` and `control-plane` on before anything else loads, and runs every other verb by commander.

const [verb] = process.argv.slice(2);

if (verb === 'proxy' || verb === 'control-plane') {
  // These are programs of their own, started often and measured: they must not pay for the rest of the command line.
  process.argv.splice(2, 1);
  await import(new URL(`../../${verb}/main.mjs`, import.meta.url).href);
} else {
  const { watchOutputs } = await import('./output-end.ts');
  const { readWorkingFolder } = await import('./working-folder.ts');
  watchOutputs(verb);
  const { runProgram } = await import('./program.ts');
  process.exitCode = await runProgram(process.argv.slice(2), {
    out: process.stdout,
    err: process.stderr,
    env: process.env,
    workingFolder: readWorkingFolder(),
  });
}
