// @ts-check
/**
 * Everything the page knows, as plain values: messages in, rows out. Nothing here touches the page.
 *
 * @typedef {object} Account
 * @property {string} key
 * @property {string} server
 * @property {string} login
 * @property {string} label
 * @property {string} currency
 * @property {boolean} deployed
 * @property {boolean} simulated
 * @property {number} balance      NaN while unknown, as all numbers here
 * @property {number} equity
 * @property {number} profit
 * @property {number} margin
 * @property {number} freeMargin
 * @property {number} positions    how many
 * @property {number} orders
 * @property {number} atMs         when this was true, by the server's clock
 *
 * @typedef {object} Instrument
 * @property {string} key
 * @property {string} exchange
 * @property {string} symbol
 * @property {string} bid          exact decimal text; "" while unknown
 * @property {string} ask
 * @property {string} last
 * @property {number} digits       decimals that this instrument's prices were seen to need
 * @property {-1 | 0 | 1} lastWent where it went when it last changed
 * @property {boolean} quotes      whether it was quoted
 * @property {number} trades       how many were seen
 * @property {number} atMs         when the newest quote or trade reached the system
 * @property {"" | "stale" | "disconnect"} trouble  what the source said since of its quotes, or of
 *   its trades where it has no quotes
 * @property {Map<number, Candles>} candles  by their length in s
 */

import { Candles } from "./candles.js";

export const CANDLE_SECONDS = [1, 5];

const MONEY = /** @type {const} */ (["balance", "equity", "profit", "margin", "freeMargin"]);
const LISTS = /** @type {const} */ (["positions", "orders"]);

/** @param {any} value  a JSON number, decimal text, or nothing */
function number(value) {
  return value === null || value === undefined || value === "" ? NaN : Number(value);
}

/** @param {any} value  a list, or how long it is */
function count(value) {
  return Array.isArray(value) ? value.length : number(value);
}

/** Whether a side of the book has no offer at all. @param {any} price @param {any} quantity */
function isEmpty(price, quantity) {
  return number(price) === 0 && number(quantity) === 0;
}

/** @param {string} token */
function unescaped(token) {
  try {
    return decodeURIComponent(token);
  } catch {
    return token;
  }
}

/** How many decimals a price needs: zeros at its end say nothing. @param {string} price */
export function decimals(price) {
  const fraction = price.split(".")[1] ?? "";
  return fraction.replace(/0+$/, "").length;
}

export class Board {
  /** @type {Map<string, Account>} */
  accounts = new Map();
  /** @type {Map<string, Instrument>} */
  instruments = new Map();
  /** Keys of rows that changed since they were painted. */
  changed = { accounts: new Set(), instruments: new Set() };

  /**
   * Take one account of the REST interface. What was heard live and is newer stays.
   *
   * @param {any} record
   */
  load(record) {
    const account = this.#account(record.server, String(record.login));
    account.label = record.label ?? "";
    account.deployed = record.deployed !== false;
    account.simulated = record.provider === "simulator";
    if (!Number.isFinite(account.balance) && record.currency) account.currency = record.currency;
    const atMs = Date.parse(record.lastStateAt ?? "");
    if (record.state && !(account.atMs > atMs)) this.#merge(account, record.state, atMs);
    this.changed.accounts.add(account.key);
  }

  /**
   * @param {string} topic  account.{server}.{login}.{type}
   * @param {any} data
   */
  applyAccount(topic, data) {
    const [, server, login, kind] = topic.split(".");
    if (!kind || typeof data !== "object" || data === null) return;
    // What happened is told apart from what is so; it says nothing about the amounts.
    if (kind === "event") return;
    const account = this.#account(data.server ?? unescaped(server), unescaped(login));
    account.deployed = true;
    this.#merge(account, data, Date.parse(data.timestamp ?? ""));
    this.changed.accounts.add(account.key);
  }

  /**
   * @param {string} topic  where the data do not name their instrument: market.{exchange}.{symbol}.…
   * @param {any} data
   * @param {number} nowMs  used where the message does not say when it was received
   * @param {string} [kind]  ticker or trade; else the topic says it
   */
  applyMarket(topic, data, nowMs, kind = topic.split(".")[3]) {
    if (typeof data !== "object" || data === null) return;
    // Operators edit how subjects are built; the data say the same in each.
    const [, exchange, symbol] = topic.split(".");
    const place = [data.venue || unescaped(exchange), data.symbol || unescaped(symbol)];
    if (data.control) {
      this.#applyControl(this.instruments.get(place.join("/")), data.control.kind, kind);
      return;
    }
    // It happened earlier than what is shown; it was asked for after an interruption.
    if (data.flags?.includes("backfill")) return;
    const row = this.#instrument(place[0], place[1]);
    const atMs = number(data.receivedMs) || nowMs;
    if (kind === "ticker") {
      this.#put(row, "bid", isEmpty(data.bid, data.bidQuantity) ? "" : data.bid);
      this.#put(row, "ask", isEmpty(data.ask, data.askQuantity) ? "" : data.ask);
      row.quotes = true;
    } else if (kind === "trade") {
      const price = number(data.price);
      const went = Math.sign(price - number(row.last));
      if (went) row.lastWent = /** @type {-1 | 1} */ (went);
      row.trades += 1;
      this.#put(row, "last", data.price);
      if (Number.isFinite(price)) {
        for (const candles of row.candles.values()) candles.add(price, atMs);
      }
    } else {
      return;
    }
    row.atMs = Math.max(row.atMs || 0, atMs);
    if (kind === "ticker" || !row.quotes) row.trouble = "";
    this.changed.instruments.add(row.key);
  }

  /**
   * Note what a source says about an instrument instead of data: there is no price in it.
   *
   * @param {Instrument | undefined} row
   * @param {string} what
   * @param {string} kind
   */
  #applyControl(row, what, kind) {
    if (!row || (row.quotes && kind !== "ticker")) return;
    if (what !== "stale" && what !== "disconnect") return;
    row.trouble = what;
    this.changed.instruments.add(row.key);
  }

  /**
   * @param {Account} account
   * @param {any} state
   * @param {number} atMs
   */
  #merge(account, state, atMs) {
    for (const name of MONEY) if (name in state) account[name] = number(state[name]);
    for (const name of LISTS) if (name in state) account[name] = count(state[name]);
    if (state.currency) account.currency = state.currency;
    if (!(account.atMs > atMs)) account.atMs = atMs;
  }

  /**
   * @param {Instrument} row
   * @param {"bid" | "ask" | "last"} side
   * @param {any} value
   */
  #put(row, side, value) {
    const text = value === null || value === undefined ? "" : String(value);
    row[side] = text;
    row.digits = Math.max(row.digits, decimals(text));
  }

  /**
   * @param {string} server
   * @param {string} login
   */
  #account(server, login) {
    const key = `${server}/${login}`;
    let account = this.accounts.get(key);
    if (!account) {
      const [balance, equity, profit, margin, freeMargin] = MONEY.map(() => NaN);
      account = {
        ...{ key, server, login, label: "", currency: "", deployed: true, simulated: false },
        ...{ balance, equity, profit, margin, freeMargin },
        ...{ positions: NaN, orders: NaN, atMs: NaN },
      };
      this.accounts.set(key, account);
    }
    return account;
  }

  /**
   * @param {string} exchange
   * @param {string} symbol
   */
  #instrument(exchange, symbol) {
    const key = `${exchange}/${symbol}`;
    let row = this.instruments.get(key);
    if (!row) {
      row = {
        ...{ key, exchange, symbol, bid: "", ask: "", last: "", digits: 0, atMs: NaN },
        ...{ lastWent: /** @type {const} */ (0), quotes: false, trades: 0 },
        trouble: /** @type {const} */ (""),
        candles: new Map(CANDLE_SECONDS.map((seconds) => [seconds, new Candles(seconds)])),
      };
      this.instruments.set(key, row);
    }
    return row;
  }
}
