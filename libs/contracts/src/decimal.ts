/** Reads and writes Avro's `decimal` (big-endian two's complement, unscaled) as decimal text. No doubles anywhere. */

const decimalText = /^-?\d+(\.\d+)?$/;

export class InvalidDecimal extends Error {
  override readonly name = 'InvalidDecimal';
}

/** @throws InvalidDecimal when the text is not a decimal number or does not fit precision and scale without rounding. */
export function decimalToBytes(text: string, precision: number, scale: number): Buffer {
  if (typeof text !== 'string' || !decimalText.test(text)) {
    throw new InvalidDecimal(`${JSON.stringify(text)} is not a decimal number`);
  }
  const negative = text.startsWith('-');
  const [whole = '0', fraction = ''] = text.replace('-', '').split('.');
  const significant = fraction.replace(/0+$/, '');
  if (significant.length > scale) throw new InvalidDecimal(`${text} has more than ${scale} decimal places`);
  const digits = (whole + significant.padEnd(scale, '0')).replace(/^0+(?=\d)/, '');
  if (digits !== '0' && digits.length > precision)
    throw new InvalidDecimal(`${text} has more than ${precision} digits`);
  return bigIntToBytes(negative ? -BigInt(digits) : BigInt(digits));
}

/** Shortest text: no trailing zeros after the point, no point without a fraction. */
export function decimalFromBytes(bytes: Uint8Array, scale: number): string {
  const unscaled = bytesToBigInt(bytes);
  const negative = unscaled < 0n;
  const digits = (negative ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, '');
  return `${negative ? '-' : ''}${whole}${fraction ? `.${fraction}` : ''}`;
}

function bigIntToBytes(value: bigint): Buffer {
  let length = 1;
  while (value < -(1n << BigInt(length * 8 - 1)) || value >= 1n << BigInt(length * 8 - 1)) length += 1;
  const hex = BigInt.asUintN(length * 8, value)
    .toString(16)
    .padStart(length * 2, '0');
  return Buffer.from(hex, 'hex');
}

function bytesToBigInt(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
}
