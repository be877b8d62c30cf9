// @ts-check
/** The dashboard: one live link, two tables and a chart, painted at most once per frame. */

import { Board } from "./board.js";
import { Chart } from "./chart.js";
import { Client } from "./client.js";
import { LiveTable } from "./table.js";
import { filled, NOTHING, Writer } from "./words.js";

const PRICE_STALE_MS = 10_000;
const ACCOUNT_STALE_MS = 45_000;
const RATE_OVER_S = 3;
const LOAD_AGAIN_MS = 5_000;

/** @param {string} id @returns {any} */
const at = (id) => document.getElementById(id);

const page = JSON.parse(at("page").textContent);
const say = page.strings;
const write = new Writer(document.documentElement.lang || "en");
const board = new Board();
const client = new Client(new URL(page.socketPath, location.href.replace(/^http/, "ws")).href);

/** @param {{atMs: number}} row */
const ageMs = (row) => client.serverNow() - row.atMs;
const isOldAccount = (/** @type {any} */ row) => !(ageMs(row) <= ACCOUNT_STALE_MS);
const isOldPrice = (/** @type {any} */ row) => row.trouble !== "" || !(ageMs(row) <= PRICE_STALE_MS);
const tone = (/** @type {number} */ sign) => (sign > 0 ? "up" : sign < 0 ? "down" : "");

/**
 * Equity and free margin follow the profit, whose cell flashes for them.
 *
 * @param {"balance" | "equity" | "margin" | "freeMargin"} name
 */
const money = (name) => ({
  cell: (/** @type {any} */ row) => ({ text: write.money(row[name], row.currency) }),
  sort: (/** @type {any} */ row) => row[name],
  flash: name === "balance",
  moves: true,
});

/** @param {"positions" | "orders"} name */
const count = (name) => ({
  cell: (/** @type {any} */ row) => ({ text: write.count(row[name]) }),
  sort: (/** @type {any} */ row) => row[name],
  flash: true,
  moves: true,
});

const accounts = new LiveTable(at("accounts"), board.accounts, {
  server: { cell: (row) => ({ text: row.server }), sort: (row) => row.server, long: true },
  login: { cell: (row) => ({ text: row.login, note: row.label }), sort: (row) => row.login },
  currency: { cell: (row) => ({ text: row.currency || NOTHING }), sort: (row) => row.currency },
  balance: money("balance"),
  equity: money("equity"),
  profit: {
    cell: (row) => ({ text: write.signedMoney(row.profit, row.currency), tone: tone(row.profit) }),
    sort: (row) => row.profit,
    flash: true,
    moves: true,
  },
  margin: money("margin"),
  freeMargin: money("freeMargin"),
  positions: count("positions"),
  orders: count("orders"),
  age: {
    cell: (row) => ({ text: row.deployed ? write.age(ageMs(row)) : say.notDeployed }),
    sort: (row) => ageMs(row),
    moves: true,
  },
}, isOldAccount);

/** @param {"bid" | "ask" | "last"} side */
const price = (side) => ({
  cell: (/** @type {any} */ row) => ({
    text: write.price(row[side], row.digits),
    // Quotes move all the time: only a trade is news enough for colour.
    tone: side === "last" ? tone(row.lastWent) : "",
  }),
  sort: (/** @type {any} */ row) => Number(row[side] || NaN),
  moves: true,
});
const spread = (/** @type {any} */ row) => (row.bid && row.ask ? Number(row.ask) - Number(row.bid) : NaN);

const prices = new LiveTable(at("prices"), board.instruments, {
  symbol: {
    cell: (row) => ({ text: row.symbol, note: row.exchange }),
    sort: (row) => row.key,
    button: true,
  },
  bid: price("bid"),
  ask: price("ask"),
  spread: {
    cell: (row) => {
      const between = spread(row);
      const text = Number.isFinite(between) ? between.toFixed(row.digits) : "";
      return { text: write.price(text, row.digits) };
    },
    sort: spread,
    moves: true,
  },
  last: price("last"),
  age: {
    cell: (row) => ({ text: write.age(ageMs(row)), note: row.trouble ? say.trouble[row.trouble] : "" }),
    sort: (row) => ageMs(row),
    moves: true,
  },
}, isOldPrice);

// One chart, of one instrument.

/** @type {Chart | null} */
let chart = null;
let charted = "";
let chartedDigits = -1;
let candleSeconds = 1;

function candles() {
  return board.instruments.get(charted)?.candles.get(candleSeconds)?.list ?? [];
}

/** @param {string} key */
function choose(key) {
  const row = board.instruments.get(key);
  if (!row) return;
  charted = key;
  at("charted").textContent = row.symbol;
  at("charted-at").textContent = row.exchange;
  prices.mark(key);
  chartedDigits = row.digits;
  chart?.show(candles(), row.digits);
}

function followChart() {
  const row = board.instruments.get(charted);
  if (!row) return;
  at("charted-last").textContent = write.price(row.last, row.digits);
  at("charted-last").dataset.tone = isOldPrice(row) ? "" : tone(row.lastWent);
  if (!chart) return;
  if (row.digits !== chartedDigits) chart.digits = chartedDigits = row.digits;
  chart.follow(candles());
}

// Painting: everything that changed, once per frame; ages and what grew old, once per second.

let framesReceived = 0;
let marketMessages = 0;
/** @type {number[]} */
const marketEachSecond = [];
let isPainting = false;

function paintSoon() {
  if (isPainting) return;
  isPainting = true;
  requestAnimationFrame(paint);
}

function paint() {
  isPainting = false;
  const now = performance.now();
  const { changed } = board;
  accounts.paint(changed.accounts, now);
  prices.paint(changed.instruments, now);
  if (changed.instruments.has(charted)) followChart();
  changed.accounts.clear();
  changed.instruments.clear();
  at("frames").textContent = write.count(framesReceived);
}

/** Whoever has not chosen yet sees the instrument that trades most. */
function chooseBusiest() {
  const [busiest] = [...board.instruments.values()].sort((a, b) => b.trades - a.trades);
  if (busiest?.trades) choose(busiest.key);
}

function tick() {
  if (!charted) chooseBusiest();
  at("chart-empty").hidden = !chart || candles().length > 0;
  marketEachSecond.push(marketMessages);
  marketMessages = 0;
  if (marketEachSecond.length > RATE_OVER_S) marketEachSecond.shift();
  const isLive = client.status.state === "live";
  const rate = marketEachSecond.reduce((sum, n) => sum + n, 0) / marketEachSecond.length;
  at("rate").textContent = isLive ? write.count(rate) : NOTHING;
  at("round-trip").textContent = isLive && Number.isFinite(client.roundTripMs)
    ? `${write.count(client.roundTripMs)} ms`
    : NOTHING;
  const rows = [...board.accounts.values()];
  const live = rows.filter((row) => row.deployed && !isOldAccount(row)).length;
  // Without the link nobody knows.
  at("live").textContent = isLive ? write.count(live) : NOTHING;
  at("all").textContent = filled(say.ofAll, { all: write.count(rows.filter((r) => r.deployed).length) });
  const simulated = rows.filter((row) => row.simulated).length;
  at("accounts-simulated").hidden = !simulated;
  at("accounts-simulated").textContent = filled(say.simulated, { count: write.count(simulated) });
  for (const key of board.accounts.keys()) board.changed.accounts.add(key);
  for (const key of board.instruments.keys()) board.changed.instruments.add(key);
  paintState(client.status);
  paintSoon();
}

/** @param {import("./client.js").Status} status */
function stateWords(status) {
  const since = write.time(status.sinceMs);
  switch (status.state) {
    case "reconnecting": {
      const seconds = Math.ceil((status.retryAtMs - Date.now()) / 1000);
      return filled(seconds > 0 ? say.reconnectingIn : say.reconnecting, { seconds, since });
    }
    case "stale":
      return filled(status.reason === "broker" ? say.staleBroker : say.staleSilent, { since });
    case "offline":
      return status.reason === "sign-in" ? say.signedOut : filled(say.offline, { since });
    default:
      return say[status.state];
  }
}

/** @param {import("./client.js").Status} status */
function paintState(status) {
  const words = stateWords(status);
  if (at("pill-words").textContent !== words) at("pill-words").textContent = words;
  at("pill").dataset.state = document.body.dataset.link = status.state;
  at("sign-in-again").hidden = status.reason !== "sign-in";
}

/** @type {string} */
let announced = "";

client.onstate = (status) => {
  paintState(status);
  // Spoken once per state: a countdown would never be silent.
  if (status.state !== announced) {
    announced = status.state;
    at("spoken").textContent = stateWords(status);
    if (status.state === "live") loadAccounts();
  }
};
client.onframe = () => {
  framesReceived += 1;
  paintSoon();
};

// Accounts at rest come from the REST interface, whatever moves from the live link.

let isLoading = false;

async function loadAccounts() {
  if (isLoading) return;
  isLoading = true;
  try {
    let next = page.accountsPath;
    while (next) {
      const answer = await fetch(next, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(`${answer.status}`);
      const found = await answer.json();
      for (const record of found.results ?? found) board.load(record);
      // Only its path: behind a proxy the server may not know its own name.
      next = found.next ? pathOf(found.next) : null;
    }
    at("accounts-failed").hidden = true;
    showEmpty();
  } catch {
    at("accounts-failed").hidden = false;
    setTimeout(loadAccounts, LOAD_AGAIN_MS);
  } finally {
    isLoading = false;
    paintSoon();
  }
}

/** @param {string} url */
function pathOf(url) {
  const { pathname, search } = new URL(url, location.href);
  return pathname + search;
}

function showEmpty() {
  at("accounts-empty").hidden = board.accounts.size > 0;
}

accounts.oncount = (shown, all) => {
  at("accounts-empty").hidden = all > 0;
  at("accounts-filtered").hidden = shown > 0 || all === 0;
  at("accounts-hidden").textContent = filled(say.hidden, { count: write.count(all - shown) });
  at("accounts-count").textContent = write.count(shown);
};
prices.oncount = (shown, all) => {
  at("prices-empty").hidden = all > 0;
  at("prices-count").textContent = write.count(all);
};

at("filter").addEventListener("input", () => (accounts.filter = at("filter").value));
at("clear-filter").addEventListener("click", () => {
  at("filter").value = accounts.filter = "";
  at("filter").focus();
});
at("prices").tBodies[0].addEventListener("click", (/** @type {any} */ event) => {
  const key = event.target.closest("tr")?.dataset.key;
  if (key) choose(key);
});
for (const input of document.querySelectorAll("input[name=candle]")) {
  input.addEventListener("change", () => {
    candleSeconds = Number(/** @type {HTMLInputElement} */ (input).value);
    choose(charted);
  });
}

client.subscribe("account.>", (data, topic) => board.applyAccount(topic, data));
for (const kind of ["ticker", "trade"]) {
  client.subscribe(page.marketTopics[kind], (data, topic) => {
    marketMessages += 1;
    board.applyMarket(topic, data, client.serverNow(), kind);
  });
}

Chart.create(at("chart"), page.chartLibrary)
  .then((made) => {
    chart = made;
    document.body.dataset.chart = "ready";
    if (charted) choose(charted);
  })
  .catch(() => {
    at("chart-missing").hidden = false;
    document.body.dataset.chart = "missing";
  });
client.open();
loadAccounts();
setInterval(tick, 1000);
tick();
