// @ts-check
/**
 * The candle chart. Its library is a file made at set-up; without it the page has its tables.
 *
 * The library's own logo needs an inline style sheet, which the page's policy forbids: the page
 * carries TradingView's attribution as a link of its own.
 */

const css = (/** @type {HTMLElement} */ element, /** @type {string} */ name) =>
  getComputedStyle(element).getPropertyValue(name).trim();

export class Chart {
  #element;
  #chart;
  #series;
  #newest = 0;

  /**
   * Return a chart in the element.
   *
   * @param {HTMLElement} element
   * @param {string} libraryUrl
   * @throws when the library is not there
   */
  static async create(element, libraryUrl) {
    return new Chart(element, await import(libraryUrl));
  }

  /** @param {HTMLElement} element @param {any} library */
  constructor(element, library) {
    this.#element = element;
    this.#chart = library.createChart(element, {
      autoSize: true,
      layout: { attributionLogo: false },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.12, bottom: 0.12 } },
      timeScale: {
        ...{ borderVisible: false, timeVisible: true, secondsVisible: true },
        ...{ rightOffset: 4, barSpacing: 8 },
      },
      handleScroll: { vertTouchDrag: false },
    });
    this.#series = this.#chart.addSeries(library.CandlestickSeries, {});
    this.#paint();
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", () => this.#paint());
  }

  /**
   * Show other candles from now on.
   *
   * @param {import("./candles.js").Candle[]} candles
   * @param {number} digits  of prices
   */
  show(candles, digits) {
    this.digits = digits;
    this.#series.setData(candles);
    this.#newest = candles.at(-1)?.time ?? 0;
    this.#chart.timeScale().applyOptions({ barSpacing: 8 });
    this.#chart.timeScale().scrollToRealTime();
  }

  /** Bring in what happened to the shown candles since. @param {import("./candles.js").Candle[]} candles */
  follow(candles) {
    let first = candles.length - 1;
    while (first > 0 && candles[first - 1].time >= this.#newest) first -= 1;
    for (const candle of candles.slice(Math.max(first, 0))) this.#series.update(candle);
    this.#newest = candles.at(-1)?.time ?? 0;
  }

  /** @param {number} digits */
  set digits(digits) {
    const priceFormat = { type: "price", precision: digits, minMove: 10 ** -digits };
    this.#series.applyOptions({ priceFormat });
  }

  #paint() {
    const of = (/** @type {string} */ name) => css(this.#element, name);
    this.#chart.applyOptions({
      layout: {
        ...{ background: { type: "solid", color: "transparent" }, textColor: of("--quiet") },
        ...{ fontFamily: css(this.#element, "font-family"), fontSize: 11 },
      },
      grid: { vertLines: { color: of("--hair") }, horzLines: { color: of("--hair") } },
      crosshair: {
        vertLine: { color: of("--quiet"), labelBackgroundColor: of("--accent") },
        horzLine: { color: of("--quiet"), labelBackgroundColor: of("--accent") },
      },
    });
    const [up, down] = [of("--up"), of("--down")];
    this.#series.applyOptions({
      ...{ upColor: up, borderUpColor: up, wickUpColor: up },
      ...{ downColor: down, borderDownColor: down, wickDownColor: down },
    });
  }
}
