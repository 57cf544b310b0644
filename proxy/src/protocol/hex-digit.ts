// Hexadecimal digits in bytes from the wire.

/** The value of each byte as a hexadecimal digit of either case; -1 for what is none. */
export const hexDigitValue: Int8Array = new Int8Array(256).fill(-1);
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  hexDigitValue[digit.charCodeAt(0)] = value;
  hexDigitValue[digit.toUpperCase().charCodeAt(0)] = value;
}
