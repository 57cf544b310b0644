// What a person means by a kind on the command line.
import { findKindByName, type KindInfo, kinds } from '@weft/api/resource/kind';
import { WeftError } from '@weft/lib/error';

/** The kinds of `vs`, `vs,dr` or `all`; WEFT0809 for one that does not exist. */
export function parseKinds(text: string): readonly KindInfo[] {
  if (text.toLowerCase() === 'all') return kinds;
  return text.split(',').map(parseKind);
}

/** One kind by name, plural or short name. */
export function parseKind(text: string): KindInfo {
  const kind = findKindByName(text);
  if (kind !== null) return kind;
  const known = kinds.map((each) => each.singular).join(', ');
  throw new WeftError('WEFT0809', `there is no kind ${text}; kinds are ${known}`);
}
