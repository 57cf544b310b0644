// CRC-32C (Castagnoli), the checksum of version 2 headers.

const table = makeTable();

function makeTable(): Uint32Array {
  const made = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
    made[byte] = value >>> 0;
  }
  return made;
}

/** Of the bytes, with four of them from `zeroedAt` counted as zero: where the checksum itself stands. */
export function crc32c(bytes: Buffer, zeroedAt = -4): number {
  let crc = 0xffff_ffff;
  for (let i = 0; i < bytes.length; i++) {
    const byte = i >= zeroedAt && i < zeroedAt + 4 ? 0 : (bytes[i] as number);
    crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] as number);
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}
