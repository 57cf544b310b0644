// Dotted field paths as issues and errors show them: `a.b[2].c["key with dots"]`.

/** `parent.name`, or `name` at the top. */
export function fieldPath(parent: string, name: string): string {
  return parent === '' ? name : `${parent}.${name}`;
}

/** `parent[3]`. */
export function indexPath(parent: string, index: number): string {
  return `${parent}[${index}]`;
}

/** `parent["key"]`. */
export function keyPath(parent: string, key: string): string {
  return `${parent}[${JSON.stringify(key)}]`;
}

/** The steps of a path: names and keys as strings, indices as numbers. The inverse of the functions above. */
export function splitPath(path: string): (string | number)[] {
  const steps: (string | number)[] = [];
  for (const match of path.matchAll(/\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([^.[\]]+)/g)) {
    if (match[1] !== undefined) steps.push(Number(match[1]));
    else if (match[2] !== undefined) steps.push(String(JSON.parse(match[2])));
    else steps.push(match[3] ?? '');
  }
  return steps;
}
