// The `date` header (RFC 9110 §5.6.7), made once a second.

let second = -1;
let text = '';

export function dateText(wallMs: number): string {
  const now = Math.floor(wallMs / 1000);
  if (now !== second) {
    second = now;
    text = new Date(wallMs).toUTCString();
  }
  return text;
}
