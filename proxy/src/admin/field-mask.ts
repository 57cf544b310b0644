// `?mask=`: keeps only the named fields of JSON, as google.protobuf.FieldMask does for messages.

interface MaskNode {
  readonly children: Map<string, MaskNode>;
}

/** A parsed mask, or null when the text is none (`a..b`, an empty path, odd characters). */
export function parseFieldMask(text: string): MaskNode | null {
  const root: MaskNode = { children: new Map() };
  for (const path of text.split(',')) {
    const segments = path.trim().split('.');
    if (!segments.every((segment) => /^[A-Za-z@][A-Za-z0-9_]*$/.test(segment))) return null;
    addPath(root, segments.map(snakeCase));
  }
  return root;
}

function addPath(root: MaskNode, segments: readonly string[]): void {
  let node = root;
  for (const segment of segments) {
    const child: MaskNode = node.children.get(segment) ?? { children: new Map() };
    node.children.set(segment, child);
    node = child;
  }
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** What the mask keeps; `@type` always stays, so that the rest can be read. */
export function applyFieldMask(mask: MaskNode, value: unknown): unknown {
  if (mask.children.size === 0) return value;
  if (Array.isArray(value)) return value.map((item) => applyFieldMask(mask, item));
  if (typeof value !== 'object' || value === null) return value;
  const kept: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(value)) {
    const inner = mask.children.get(key);
    if (key === '@type') kept[key] = child;
    else if (inner !== undefined) kept[key] = applyFieldMask(inner, child);
  }
  return kept;
}
