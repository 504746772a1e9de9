// Stripe counts in the smallest unit of a currency. Most have two decimals; these do not.
const withoutDecimals = new Set('BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF'.split(' '));
const withThreeDecimals = new Set('BHD JOD KWD OMR TND'.split(' '));

const decimalsOf = (currency: string): number => {
  if (withoutDecimals.has(currency)) return 0;
  return withThreeDecimals.has(currency) ? 3 : 2;
};

/** 1999 USD cents as "19.99". Text all the way: money is never a double. Null when it is no whole number of units. */
export function decimalFromMinorUnits(amount: unknown, currency: string): string | null {
  if (typeof amount !== 'number' || !Number.isSafeInteger(amount)) return null;
  const decimals = decimalsOf(currency);
  if (decimals === 0) return String(amount);
  const digits = String(Math.abs(amount)).padStart(decimals + 1, '0');
  return `${amount < 0 ? '-' : ''}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}
