// What becomes of a defect of ours that the bytes of a connection come upon (decision 0015).

export type DefectSink = (error: unknown) => void;

/** Null where a defect is to be as loud as can be, as in tests. */
let sink: DefectSink | null = null;

/** From now on a defect costs the connection that met it, and is told here; null takes that back. */
export function containDefects(next: DefectSink | null): void {
  sink = next;
}

/** Tells of a defect; throws it on where nobody contains it. */
export function reportDefect(error: unknown): void {
  if (sink === null) throw error;
  sink(error);
}
