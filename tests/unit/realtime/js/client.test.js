import assert from "node:assert/strict";
import { test } from "node:test";

import { backoffMs, Client, matches } from "../../../../realtime/static/realtime/client.js";
import { Socket, Time } from "./fakes.js";

/** A client whose sockets and time are ours; `random` 1 makes every wait the longest. */
function prepared({ network = new EventTarget() } = {}) {
  const time = new Time();
  const sockets = [];
  const client = new Client("ws://host/ws/", {
    socket: () => {
      sockets.push(new Socket());
      return sockets.at(-1);
    },
    now: time.now,
    random: () => 1,
    timers: time,
    network,
  });
  const states = [];
  client.onstate = ({ state }) => states.push(state);
  return { client, time, sockets, states, network };
}

const turn = () => new Promise((done) => setImmediate(done));

test("a pattern matches as on the server", () => {
  for (const [pattern, topic, expected] of [
    ["account.>", "account.a.1.update", true],
    ["account.>", "account", false],
    ["market.*.*.ticker", "market.binance.X.ticker", true],
    ["market.*.*.ticker", "market.binance.X.trade", false],
    ["market.*.ticker", "market.binance.X.ticker", false],
    ["market.a", "market.a", true],
    ["market.a.b", "market.a", false],
  ]) {
    assert.equal(matches(pattern, topic), expected, `${pattern} ${topic}`);
  }
});

test("the wait before an attempt doubles, is jittered in full, and is bounded", () => {
  assert.deepEqual([0, 1, 2].map((n) => backoffMs(n, 1)), [500, 1000, 2000]);
  assert.equal(backoffMs(50, 1), 20_000);
  assert.equal(backoffMs(3, 0), 0);
});

test("topics of one turn are asked for with one command, after the hello", async () => {
  const { client, sockets, states } = prepared();
  client.subscribe("account.>", () => {});
  client.subscribe("market.*.*.trade", () => {});
  client.open();
  await turn();
  assert.deepEqual(sockets[0].commands, []);

  sockets[0].welcome();
  await turn();

  const asked = sockets[0].of("subscribe").map(({ topics }) => topics);
  assert.deepEqual(asked, [["account.>", "market.*.*.trade"]]);
  assert.deepEqual(states, ["connecting", "live"]);
});

test("more topics than fit are asked for in several commands", async () => {
  const { client, sockets } = prepared();
  for (let n = 0; n < 120; n += 1) client.subscribe(`market.x.${n}.trade`, () => {});
  client.open();
  sockets[0].welcome();
  await turn();

  assert.deepEqual(sockets[0].of("subscribe").map(({ topics }) => topics.length), [100, 20]);
});

test("a message reaches every callback whose pattern matches, until it is given back", async () => {
  const { client, sockets } = prepared();
  const heard = [];
  const stop = client.subscribe("account.>", (data) => heard.push(["wide", data]));
  client.subscribe("account.*.*.update", (data, topic) => heard.push([topic, data]));
  client.open();
  sockets[0].welcome();
  await turn();
  const message = { type: "message", topic: "account.a.1.update", data: { equity: 1 } };

  sockets[0].say(message);
  stop();
  sockets[0].say(message);

  assert.deepEqual(heard, [
    ["wide", { equity: 1 }],
    ["account.a.1.update", { equity: 1 }],
    ["account.a.1.update", { equity: 1 }],
  ]);
  assert.deepEqual(sockets[0].of("unsubscribe").map(({ topics }) => topics), [["account.>"]]);
});

test("two callbacks of one pattern are one subscription", async () => {
  const { client, sockets } = prepared();
  client.open();
  sockets[0].welcome();
  const stops = [1, 2].map(() => client.subscribe("account.>", () => {}));
  await turn();

  stops[0]();
  assert.equal(sockets[0].of("unsubscribe").length, 0);
  stops[1]();
  stops[1]();

  assert.equal(sockets[0].of("subscribe").length, 1);
  assert.equal(sockets[0].of("unsubscribe").length, 1);
});

test("after a loss it comes back by itself and asks for everything again", async () => {
  const { client, time, sockets, states } = prepared();
  client.subscribe("account.>", () => {});
  client.open();
  sockets[0].welcome();
  await turn();

  sockets[0].end(1006);
  assert.equal(client.status.retryAtMs, time.nowMs + 500);
  time.pass(499);
  assert.equal(sockets.length, 1);
  time.pass(1);
  sockets[1].end(1006);
  time.pass(1000);
  sockets[2].welcome({ epoch: "other" });
  await turn();

  assert.deepEqual(sockets[2].of("subscribe").map(({ topics }) => topics), [["account.>"]]);
  assert.equal(client.epoch, "other");
  assert.equal(client.status.state, "live");
  assert.deepEqual(
    states.filter((state, index) => state !== states[index - 1]),
    ["connecting", "live", "reconnecting", "live"],
  );
});

test("after a success the waits begin small again", () => {
  const { client, time, sockets } = prepared();
  client.open();
  for (let n = 0; n < 5; n += 1) {
    sockets.at(-1).end(1006);
    time.pass(20_000);
  }
  sockets.at(-1).welcome();

  sockets.at(-1).end(1006);

  assert.equal(client.status.retryAtMs, time.nowMs + 500);
});

test("a server that does not answer is stale, then given up", () => {
  const { client, time, sockets } = prepared();
  client.open();
  sockets[0].welcome();
  sockets[0].say({ type: "pong", id: 1, timeMs: time.nowMs });
  time.pass(2_000);
  assert.equal(sockets[0].of("ping").length, 2);

  time.pass(3_000);
  assert.deepEqual([client.status.state, client.status.reason], ["stale", "silent"]);
  assert.equal(sockets[0].of("ping").length, 2);
  time.pass(5_000);

  assert.equal(client.status.state, "reconnecting");
  assert.equal(sockets[0].readyState, 3);
});

test("any word of a slow server makes it live again", () => {
  const { client, time, sockets } = prepared();
  client.open();
  sockets[0].welcome();
  time.pass(5_000);
  assert.equal(client.status.state, "stale");

  sockets[0].say({ type: "heartbeat", timeMs: 0 });

  assert.equal(client.status.state, "live");
  time.pass(3_000);
  assert.equal(client.status.state, "live");
});

test("a server without its broker is stale until it has it again", () => {
  const { client, sockets, states } = prepared();
  client.open();
  sockets[0].welcome();

  sockets[0].say({ type: "link", state: "down" });
  assert.deepEqual([client.status.state, client.status.reason], ["stale", "broker"]);
  sockets[0].say({ type: "link", state: "up" });

  assert.deepEqual(states, ["connecting", "live", "stale", "live"]);
});

test("an attempt that hangs is given up", () => {
  const { client, time, sockets } = prepared();
  client.open();

  time.pass(10_000);

  assert.equal(client.status.state, "reconnecting");
  time.pass(500);
  assert.equal(sockets.length, 2);
});

test("who is signed out is not tried again", () => {
  const { client, time, sockets } = prepared();
  client.open();

  sockets[0].end(4401);
  time.pass(3_600_000);

  assert.deepEqual([client.status.state, client.status.reason], ["offline", "sign-in"]);
  assert.equal(sockets.length, 1);
});

test("closing ends everything, and opening begins anew", () => {
  const { client, time, sockets } = prepared();
  client.open();
  sockets[0].welcome();

  client.close();
  time.pass(3_600_000);
  assert.deepEqual([client.status.state, sockets.length], ["offline", 1]);
  client.open();

  assert.deepEqual([client.status.state, sockets.length], ["connecting", 2]);
});

test("a socket that was given up is not listened to any more", () => {
  const { client, time, sockets } = prepared();
  const heard = [];
  client.subscribe("account.>", (data) => heard.push(data));
  client.open();
  sockets[0].welcome();
  sockets[0].end(1006);
  time.pass(500);
  sockets[1].welcome();

  sockets[0].say({ type: "message", topic: "account.a.1.update", data: {} });
  sockets[0].end(1006);

  assert.deepEqual(heard, []);
  assert.equal(client.status.state, "live");
});

test("a refused topic is told to who wanted it, and the others are asked for again", async () => {
  const { client, sockets } = prepared();
  const refusals = [];
  client.subscribe("service.>", () => {}, (error) => refusals.push(error.code));
  client.subscribe("account.>", () => {});
  client.open();
  sockets[0].welcome();
  await turn();
  const { id } = sockets[0].of("subscribe")[0];

  sockets[0].say({ type: "error", id, code: "forbidden", message: "no", topic: "service.>" });
  await turn();

  assert.deepEqual(refusals, ["forbidden"]);
  assert.deepEqual(sockets[0].of("subscribe")[1].topics, ["account.>"]);
});

test("commands that came too fast are repeated", async () => {
  const { client, time, sockets } = prepared();
  client.subscribe("account.>", () => {});
  client.open();
  sockets[0].welcome();
  await turn();

  sockets[0].say({ type: "error", id: null, code: "too_many", message: "slower" });
  time.pass(1_000);
  await turn();

  assert.deepEqual(sockets[0].of("subscribe").map(({ topics }) => topics), [
    ["account.>"],
    ["account.>"],
  ]);
});

test("without a network it says so, and tries at once when there is one", () => {
  const network = new EventTarget();
  network.navigator = { onLine: false };
  const { client, sockets } = prepared({ network });
  client.open();
  sockets[0].end(1006);
  assert.deepEqual([client.status.state, client.status.reason], ["offline", "network"]);

  network.navigator.onLine = true;
  network.dispatchEvent(new Event("online"));

  assert.equal(sockets.length, 2);
  sockets[1].welcome();
  assert.equal(client.status.state, "live");
});

test("the server's clock is known, whatever this machine's says", () => {
  const { client, time, sockets } = prepared();
  client.open();
  sockets[0].welcome({ timeMs: 5_000_000 });
  assert.equal(client.serverNow(), 5_000_000);

  time.pass(40);
  sockets[0].say({ type: "pong", id: 1, timeMs: 5_000_020 });

  assert.equal(client.roundTripMs, 40);
  assert.equal(client.serverNow(), 5_000_040);
});
