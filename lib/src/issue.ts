// What validation finds: the same shape for YAML resources, bootstrap files and xDS, so that `analyze`, NACKs, status and
// the dashboard say the same words.

export type IssueLevel = 'error' | 'warning' | 'info';

/** Where a resource came from; carried through the model into xDS metadata so that a failure can name its line. */
export interface Origin {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly generation?: number;
  readonly file?: string;
  /** 1-based line in `file`. */
  readonly line?: number;
  /** 1-based column in that line. */
  readonly column?: number;
}

/** One finding. The message says what happened, why, and what to do. */
export interface Issue {
  /** Permanent, `WEFT` and four digits; never reused or renamed. */
  readonly code: string;
  readonly level: IssueLevel;
  readonly message: string;
  /** Dotted path of the field, such as `spec.http[0].route[1].destination.subset`. */
  readonly path?: string;
  readonly origin?: Origin;
}

/** `file:line:column: level CODE Kind/namespace/name path: message`, leaving out what is not known. */
export function formatIssue(issue: Issue): string {
  return formatAs(issue, `${issue.level} `);
}

/** As `formatIssue` for where every line is called a warning anyway: only another level is told. */
export function formatWarning(issue: Issue): string {
  return formatAs(issue, issue.level === 'warning' ? '' : `${issue.level} `);
}

function formatAs(issue: Issue, level: string): string {
  const { origin, code, message } = issue;
  const path = issue.path === undefined ? '' : ` ${issue.path}`;
  if (origin === undefined) return `${level}${code}${path}: ${message}`;
  const place = formatPlace(origin);
  // A finding about a file as a whole: its name stands in front already.
  const isFile = origin.name === origin.file;
  const resource = isFile ? '' : ` ${origin.kind}/${origin.namespace ? `${origin.namespace}/` : ''}${origin.name}`;
  return `${place === '' ? '' : `${place}: `}${level}${code}${resource}${path}: ${message}`;
}

/** `file:line:column`, as far as known. */
export function formatPlace({ file, line, column }: Origin): string {
  if (file === undefined) return '';
  return [file, line, line === undefined ? undefined : column].filter((part) => part !== undefined).join(':');
}

/** Whether any of the issues is an error. */
export function hasErrors(issues: readonly Issue[]): boolean {
  return issues.some((issue) => issue.level === 'error');
}

/** The place of a resource in issues, and the beginning of every place inside it, and of no other whatever the name holds. */
export function resourcePath(kind: string, name: string): string {
  return `${kind}[${JSON.stringify(name)}]`;
}
