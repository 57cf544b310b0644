// Where the interpreter is inside a message, kept cheaply so that an error can name its field.
import { fieldPath, indexPath, keyPath } from './field-path.ts';
import type { FieldLayout } from './schema.ts';

/** A stack of fields, each with the index or map key being looked at. */
export class Place {
  private readonly fields: FieldLayout[] = [];
  private readonly keys: (number | string | null)[] = [];

  get depth(): number {
    return this.fields.length;
  }

  enter(field: FieldLayout): void {
    this.fields.push(field);
    this.keys.push(null);
  }

  leave(): void {
    this.fields.pop();
    this.keys.pop();
  }

  /** Sets the index or key within the field entered last. */
  at(key: number | string): void {
    this.keys[this.keys.length - 1] = key;
  }

  /** The dotted path, made of original names. */
  path(): string {
    let path = '';
    for (let i = 0; i < this.fields.length; i++) {
      path = fieldPath(path, this.fields[i]?.originalName ?? '');
      const key = this.keys[i] ?? null;
      if (key !== null) path = typeof key === 'number' ? indexPath(path, key) : keyPath(path, key);
    }
    return path;
  }
}
