// What the command does when its output can no longer be written: the reader of a pipe ended, or the terminal was closed.

/** Verbs that run something which must be stopped in order; they go on without a reader until they are told to end. */
const runners = ['up', 'run'];

/** The status that a shell shows for a program ended by SIGPIPE. */
const brokenPipeStatus = 141;

/** Ends the process quietly, as SIGPIPE would; Node ignores that signal and would print a stack instead. */
export function watchOutputs(verb: string | undefined): void {
  const isRunner = verb !== undefined && runners.includes(verb);
  const onError = (error: NodeJS.ErrnoException): void => {
    if (!isRunner) process.exit(error.code === 'EPIPE' ? brokenPipeStatus : 1);
  };
  process.stdout.on('error', onError);
  process.stderr.on('error', onError);
}
