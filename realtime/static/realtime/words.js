// @ts-check
/** How numbers and times are written. Digits are Latin in every language; times are UTC. */

export const NOTHING = "–";
export const MINUS = "−";

export class Writer {
  #locale;
  /** @type {Map<string, Intl.NumberFormat>} */
  #money = new Map();

  /** @param {string} language */
  constructor(language) {
    this.#locale = `${language}-u-nu-latn`;
    this.#whole = new Intl.NumberFormat(this.#locale, { maximumFractionDigits: 0 });
  }

  #whole;

  /**
   * @param {number} amount
   * @param {string} currency  decides how many decimals
   */
  money(amount, currency) {
    if (!Number.isFinite(amount)) return NOTHING;
    return this.#moneyFormat(currency).format(amount).replace("-", MINUS);
  }

  /**
   * @param {number} amount
   * @param {string} currency
   */
  signedMoney(amount, currency) {
    return amount > 0 ? `+${this.money(amount, currency)}` : this.money(amount, currency);
  }

  /** @param {number} count */
  count(count) {
    return Number.isFinite(count) ? this.#whole.format(count) : NOTHING;
  }

  /**
   * A price with the decimals of its instrument, digit by digit as it was received.
   *
   * @param {string} price
   * @param {number} digits
   */
  price(price, digits) {
    if (!price) return NOTHING;
    const [whole, fraction = ""] = price.replace("-", MINUS).split(".");
    const kept = fraction.slice(0, digits).padEnd(digits, "0");
    return kept ? `${whole}.${kept}` : whole;
  }

  /** @param {number} ms */
  age(ms) {
    if (!Number.isFinite(ms)) return NOTHING;
    const seconds = Math.max(0, Math.floor(ms / 1000));
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86_400)} d`;
  }

  /** @param {number} ms  since 1970 */
  time(ms) {
    return new Date(ms).toISOString().slice(11, 19);
  }

  /** @param {string} currency */
  #moneyFormat(currency) {
    let format = this.#money.get(currency);
    if (!format) {
      const digits = decimalsOf(currency);
      format = new Intl.NumberFormat(this.#locale, {
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
      });
      this.#money.set(currency, format);
    }
    return format;
  }
}

/** @param {string} currency */
function decimalsOf(currency) {
  try {
    const style = { style: /** @type {const} */ ("currency"), currency };
    return new Intl.NumberFormat("en", style).resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    return 2; // USDT, cents of a broker: no currency that Intl knows.
  }
}

/**
 * @param {string} sentence  with {names} in it
 * @param {Record<string, string | number>} values
 */
export function filled(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}
