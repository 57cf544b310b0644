// `labelSelector` and `fieldSelector` of a list or watch.

/** What a selector is asked about. */
export interface Selectable {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly labels?: Readonly<Record<string, string>> | undefined;
  };
}

export type Predicate = (object: Selectable) => boolean;

/** A predicate, or why the text is no selector. */
export type SelectorResult = { readonly matches: Predicate } | { readonly problem: string };

/** `a=b,c!=d,e in (f,g),h notin (i),j,!k`. */
export function parseLabelSelector(text: string): SelectorResult {
  const predicates: Predicate[] = [];
  for (const part of splitRequirements(text)) {
    const predicate = labelRequirement(part);
    if (predicate === null) return { problem: `"${part}" is no label selector` };
    predicates.push(predicate);
  }
  return { matches: (object) => predicates.every((predicate) => predicate(object)) };
}

/** `metadata.name=x` and `metadata.namespace=x`, also negated: the fields that every kind has. */
export function parseFieldSelector(text: string): SelectorResult {
  const predicates: Predicate[] = [];
  for (const part of text.split(',').filter((each) => each.trim() !== '')) {
    const match = /^\s*metadata\.(name|namespace)\s*(!=|==|=)\s*(\S*)\s*$/.exec(part);
    if (match === null)
      return { problem: `"${part}" is no field selector; metadata.name and metadata.namespace can be selected` };
    const [, field, operator, value = ''] = match;
    predicates.push(({ metadata }) => {
      const isSame = (field === 'name' ? metadata.name : (metadata.namespace ?? '')) === value;
      return operator === '!=' ? !isSame : isSame;
    });
  }
  return { matches: (object) => predicates.every((predicate) => predicate(object)) };
}

/** Commas part requirements, but not inside parentheses. */
function splitRequirements(text: string): readonly string[] {
  const parts: string[] = [''];
  let depth = 0;
  for (const character of text) {
    if (character === '(') depth++;
    if (character === ')') depth--;
    if (character === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

function labelRequirement(text: string): Predicate | null {
  const set = /^([^\s!=(),]+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(text);
  if (set !== null) {
    const [, key = '', operator, list = ''] = set;
    const values = list.split(',').map((value) => value.trim());
    return ({ metadata }) => {
      const isIn = values.includes(metadata.labels?.[key] ?? '\0');
      return operator === 'in' ? isIn : !isIn;
    };
  }
  const equality = /^([^\s!=(),]+)\s*(!=|==|=)\s*([^\s!=(),]*)$/.exec(text);
  if (equality !== null) {
    const [, key = '', operator, value] = equality;
    return ({ metadata }) => (metadata.labels?.[key] === value) === (operator !== '!=');
  }
  const presence = /^(!?)\s*([^\s!=(),]+)$/.exec(text);
  if (presence === null) return null;
  const [, negation, key = ''] = presence;
  return ({ metadata }) => (metadata.labels?.[key] !== undefined) === (negation === '');
}
