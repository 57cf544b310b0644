// Where the interpreter is inside a message, kept by plain stores so that an error can name its field.
import { fieldPath, indexPath, keyPath } from './field-path.ts';
import type { FieldLayout } from './schema.ts';

/** At each depth of nesting the field being looked at, and its index or map key if it has one. */
export class Place {
  depth = 0;
  private readonly fields: (FieldLayout | null)[] = [null];
  private readonly keys: (number | string | null)[] = [null];

  /** The field at this depth; null between fields. */
  set(field: FieldLayout | null): void {
    this.fields[this.depth] = field;
    this.keys[this.depth] = null;
  }

  /** The index or key within the field. */
  at(key: number | string): void {
    this.keys[this.depth] = key;
  }

  /** Into the message that the field holds. */
  enter(): void {
    this.depth++;
    this.set(null);
  }

  leave(): void {
    this.depth--;
  }

  /** The dotted path, made of original names. */
  path(): string {
    let path = '';
    for (let i = 0; i <= this.depth; i++) {
      const field = this.fields[i] ?? null;
      if (field === null) continue;
      path = fieldPath(path, field.originalName);
      const key = this.keys[i] ?? null;
      if (key !== null) path = typeof key === 'number' ? indexPath(path, key) : keyPath(path, key);
    }
    return path;
  }
}
