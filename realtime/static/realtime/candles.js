// @ts-check
/**
 * Candles of one instrument, built from its trades as they arrive.
 *
 * @typedef {{time: number, open: number, high: number, low: number, close: number}} Candle
 *   `time` is the candle's beginning in s since 1970
 */

export class Candles {
  /** Oldest first. @type {Candle[]} */
  list = [];

  /**
   * @param {number} seconds  how long one candle is
   * @param {number} most     how many are kept
   */
  constructor(seconds, most = 600) {
    this.seconds = seconds;
    this.most = most;
  }

  /**
   * Count a trade in; return its candle, or null for one that comes too late for the newest.
   *
   * @param {number} price
   * @param {number} timeMs
   */
  add(price, timeMs) {
    const time = Math.floor(timeMs / 1000 / this.seconds) * this.seconds;
    const last = this.list.at(-1);
    if (last && time < last.time) return null;
    if (last && time === last.time) {
      last.high = Math.max(last.high, price);
      last.low = Math.min(last.low, price);
      last.close = price;
      return last;
    }
    const candle = { time, open: price, high: price, low: price, close: price };
    this.list.push(candle);
    if (this.list.length > this.most) this.list.shift();
    return candle;
  }
}
