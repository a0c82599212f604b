import { isLosslessNumber } from 'lossless-json';

/** A decimal number of any length: sign, digits without zeros at either end, and the power of ten behind them. */
interface Decimal {
  readonly negative: boolean;
  readonly digits: bigint;
  readonly exponent: number;
}

/** The text of a number, or of a text that spells one; null for everything else. */
function decimalOf(value: unknown): Decimal | null {
  const text =
    typeof value === 'number' || typeof value === 'bigint' || isLosslessNumber(value)
      ? value.toString()
      : typeof value === 'string'
        ? value.trim()
        : '';
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,4}))?$/i.exec(text);
  if (match === null) return null;
  const [, sign = '', whole = '', fraction = '', power = '0'] = match;
  if (whole === '' && fraction === '') return null;
  return {
    negative: sign === '-',
    digits: BigInt(whole + fraction),
    exponent: Number(power) - fraction.length,
  };
}

/**
 * Compares two numbers digit by digit, however long they are.
 * @returns below, at or above 0 as `a` is less, equal or more; null when one of them is no number
 */
export function compareNumbers(a: unknown, b: unknown): number | null {
  const [left, right] = [decimalOf(a), decimalOf(b)];
  if (left === null || right === null) return null;
  const exponent = Math.min(left.exponent, right.exponent);
  const scaled = (d: Decimal) => (d.negative ? -1n : 1n) * d.digits * 10n ** BigInt(d.exponent - exponent);
  const difference = scaled(left) - scaled(right);
  return difference === 0n ? 0 : difference < 0n ? -1 : 1;
}
