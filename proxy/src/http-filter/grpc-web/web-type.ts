// Content types of gRPC-Web: binary or text, and the format of the messages.

const web = 'application/grpc-web';
const webText = 'application/grpc-web-text';

/** What a request says of itself and of the response it wants. */
export interface WebType {
  readonly isText: boolean;
  /** `+proto` and the like, or empty. */
  readonly format: string;
}

/** Null for what is no gRPC-Web. */
export function parseWebType(type: string | undefined): WebType | null {
  if (type === undefined || !type.startsWith(web)) return null;
  const isText = type.startsWith(webText);
  const rest = type.slice((isText ? webText : web).length);
  if (rest === '' || rest[0] === ';') return { isText, format: '' };
  return rest[0] === '+' ? { isText, format: formatOf(rest) } : null;
}

/** Whether the response is to be text: as `accept` says, else as the request came. */
export function wantsText(accept: string | undefined, isText: boolean): boolean {
  if (accept === undefined || !accept.includes(web)) return isText;
  return accept.includes(webText);
}

/** The type of the response, from the gRPC one of the endpoint; without a format it is `+proto`, as browsers' clients want. */
export function webResponseType(grpcType: string, isText: boolean): string {
  return `${isText ? webText : web}${formatOf(grpcType) || '+proto'}`;
}

/** `+proto` of `application/grpc+proto;charset=utf-8`, empty when there is none. */
function formatOf(type: string): string {
  const plus = type.indexOf('+');
  if (plus < 0) return '';
  const end = type.indexOf(';', plus);
  return end < 0 ? type.slice(plus) : type.slice(plus, end);
}
