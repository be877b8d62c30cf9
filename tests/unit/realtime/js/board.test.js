import assert from "node:assert/strict";
import { test } from "node:test";

import { Board, decimals } from "../../../../realtime/static/realtime/board.js";
import { Candles } from "../../../../realtime/static/realtime/candles.js";
import { filled, Writer } from "../../../../realtime/static/realtime/words.js";

const AT = "2025-11-14T10:30:00.000Z";
const LATER = "2025-11-14T10:30:05.000Z";

const whole = {
  ...{ type: "account", server: "Demo.One", login: "7", timestamp: AT, currency: "USD" },
  ...{ balance: 100, equity: 110, profit: 10, margin: 5, freeMargin: 105 },
  ...{ positions: [{}, {}], orders: [] },
};

test("updates change what they name and nothing else", () => {
  const board = new Board();
  board.applyAccount("account.Demo%2EOne.7.account", whole);

  board.applyAccount("account.Demo%2EOne.7.update", { equity: 111, timestamp: LATER });
  board.applyAccount("account.Demo%2EOne.7.positions", { positions: [{}], timestamp: LATER });

  const [account, ...others] = board.accounts.values();
  assert.deepEqual(others, []);
  assert.deepEqual(account, {
    ...{ key: "Demo.One/7", server: "Demo.One", login: "7", label: "", currency: "USD" },
    ...{ deployed: true, simulated: false, balance: 100, equity: 111, profit: 10, margin: 5, freeMargin: 105 },
    ...{ positions: 1, orders: 0, atMs: Date.parse(LATER) },
  });
});

test("an event is no news about the amounts", () => {
  const board = new Board();
  board.applyAccount("account.Demo%2EOne.7.account", whole);
  board.load({ server: "Demo.One", login: 7, label: "", currency: "USD", deployed: false });

  board.applyAccount("account.Demo%2EOne.7.event", { type: "event", kind: "connection", timestamp: LATER });
  board.applyAccount("account.Demo%2EOne.8.event", { type: "event", kind: "connection", timestamp: LATER });

  assert.deepEqual([...board.accounts.values()].map((a) => [a.login, a.deployed, a.atMs]), [
    ["7", false, Date.parse(AT)],
  ]);
});

test("the first paint fills what is unknown and overwrites nothing that is newer", () => {
  const board = new Board();
  board.applyAccount("account.Demo%2EOne.7.update", { equity: 111, timestamp: LATER });
  const record = { server: "Demo.One", login: 7, label: "Main", currency: "EUR", deployed: true };

  board.load({ ...record, lastStateAt: AT, state: { ...whole, equity: "1.0" } });
  board.load({ ...record, login: 8, deployed: false, lastStateAt: null, state: null });
  board.load({ ...record, login: 9, lastStateAt: AT, state: { balance: "5.50", positions: 3 } });

  const [first, second, third] = board.accounts.values();
  assert.deepEqual([first.equity, first.label, first.currency], [111, "Main", "EUR"]);
  assert.deepEqual([second.deployed, second.balance], [false, NaN]);
  assert.deepEqual([third.balance, third.positions, third.atMs], [5.5, 3, Date.parse(AT)]);
});

test("data name their instrument where the topic has another form", () => {
  const board = new Board();

  board.applyMarket("t.BTCUSDT.binance", { venue: "binance", symbol: "BTCUSDT", price: "1" }, 7, "trade");

  const [row] = board.instruments.values();
  assert.deepEqual([row.exchange, row.symbol, row.last], ["binance", "BTCUSDT", "1"]);
});

test("what a source says about its data is no price", () => {
  const board = new Board();
  const topic = "market.okx.BTC-USDT";
  const control = (kind) => ({ flags: ["control"], control: { kind } });
  const row = () => board.instruments.get("okx/BTC-USDT");

  board.applyMarket(`${topic}.ticker`, control("stale"), 0);
  assert.equal(row(), undefined);

  board.applyMarket(`${topic}.ticker`, { bid: "1.1", ask: "1.2", receivedMs: 5_000 }, 0);
  board.applyMarket(`${topic}.trade`, control("stale"), 6_000);
  assert.equal(row().trouble, "");

  for (const kind of ["gap", "disconnect"]) board.applyMarket(`${topic}.ticker`, control(kind), 7_000);
  assert.deepEqual([row().bid, row().last, row().atMs, row().trouble], ["1.1", "", 5_000, "disconnect"]);

  board.applyMarket(`${topic}.trade`, { price: "1.15", receivedMs: 8_000 }, 0);
  assert.equal(row().trouble, "disconnect");
  board.applyMarket(`${topic}.ticker`, { bid: "1.1", ask: "1.2", receivedMs: 9_000 }, 0);
  assert.equal(row().trouble, "");
});

test("the trouble of an instrument without quotes is that of its trades", () => {
  const board = new Board();
  board.applyMarket("market.a.B.trade", { price: "1" }, 1);

  board.applyMarket("market.a.B.trade", { control: { kind: "stale" } }, 2);

  const [row] = board.instruments.values();
  assert.deepEqual([row.last, row.trouble], ["1", "stale"]);
  board.applyMarket("market.a.B.trade", { price: "2" }, 3);
  assert.equal(row.trouble, "");
});

test("a trade that was asked for afterwards moves no price and no candle", () => {
  const board = new Board();
  board.applyMarket("market.a.B.trade", { price: "2", flags: [], receivedMs: 9_000 }, 0);

  board.applyMarket("market.a.B.trade", { price: "1", flags: ["backfill"], receivedMs: 9_500 }, 0);

  const [row] = board.instruments.values();
  assert.deepEqual([row.last, row.atMs, row.trades], ["2", 9_000, 1]);
  assert.deepEqual(row.candles.get(1).list.map((candle) => candle.low), [2]);
});

test("a side without any offer has no price", () => {
  const board = new Board();

  board.applyMarket("market.a.B.ticker", { bid: "0.00", bidQuantity: "0.0", ask: "-1.5", askQuantity: "2" }, 1);
  board.applyMarket("market.a.C.ticker", { bid: "0", bidQuantity: "3", ask: "1" }, 1);

  assert.deepEqual([...board.instruments.values()].map((row) => [row.bid, row.ask]), [["", "-1.5"], ["0", "1"]]);
});

test("quotes and trades make a row and its candles", () => {
  const board = new Board();
  const trade = (price, receivedMs) =>
    board.applyMarket("market.binance.BTC%2EX.trade", { price, receivedMs }, 0);

  board.applyMarket("market.binance.BTC%2EX.ticker", { bid: "1.10", ask: "1.2500" }, 6_000);
  trade("1.2", 6_100);
  trade("1.3", 6_900);
  trade("1.1", 7_000);

  const [row] = board.instruments.values();
  assert.deepEqual([row.key, row.bid, row.ask, row.last], ["binance/BTC.X", "1.10", "1.2500", "1.1"]);
  assert.deepEqual([row.digits, row.lastWent, row.trades, row.atMs], [2, -1, 3, 7_000]);
  assert.deepEqual(row.candles.get(1).list, [
    { time: 6, open: 1.2, high: 1.3, low: 1.2, close: 1.3 },
    { time: 7, open: 1.1, high: 1.1, low: 1.1, close: 1.1 },
  ]);
  assert.deepEqual(row.candles.get(5).list, [
    { time: 5, open: 1.2, high: 1.3, low: 1.1, close: 1.1 },
  ]);
});

test("what is not an object, or of a kind without a place, changes nothing", () => {
  const board = new Board();

  board.applyAccount("account.a.1.update", "text");
  board.applyMarket("market.a.X.trade", null, 0);

  assert.equal(board.accounts.size + board.instruments.size, 0);
});

test("a candle that is over is not changed by a late trade, and the oldest go", () => {
  const candles = new Candles(1, 3);
  for (const second of [1, 2, 3, 4]) candles.add(second, second * 1000);

  assert.equal(candles.add(99, 2000), null);

  assert.deepEqual(candles.list.map(({ time, high }) => [time, high]), [[2, 2], [3, 3], [4, 4]]);
});

test("numbers are written in full, with the decimals of their kind", () => {
  const write = new Writer("en");

  assert.equal(write.money(10000, "USD"), "10,000.00");
  assert.equal(write.money(10000, "JPY"), "10,000");
  assert.equal(write.money(-1.5, "USDT"), "−1.50");
  assert.equal(write.signedMoney(1.5, "USD"), "+1.50");
  assert.equal(write.signedMoney(0, "USD"), "0.00");
  assert.equal(write.money(NaN, "USD"), "–");
  assert.equal(write.price("61737.5000", 2), "61737.50");
  assert.equal(write.price("7", 0), "7");
  assert.equal(write.price("", 2), "–");
  assert.equal(new Writer("fa").count(1234567).replace(/\D/g, ""), "1234567");
  assert.deepEqual([0, 61_000, 3_600_000, 90_000_000, NaN].map((ms) => write.age(ms)), [
    "0 s", "1 min", "1 h", "1 d", "–",
  ]);
  assert.deepEqual(["1", "1.50", "0.00010"].map(decimals), [0, 1, 4]);
  assert.equal(filled("of {all} {unknown}", { all: 3 }), "of 3 {unknown}");
});
