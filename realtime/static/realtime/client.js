// @ts-check
/**
 * A live link to Tickplane: subscribe to topics, get their messages, survive everything between.
 *
 *     const client = new Client("wss://host/ws/");
 *     const stop = client.subscribe("market.*.*.ticker", (data, topic) => { … });
 *     client.onstate = ({ state }) => { … };
 *     client.open();
 *
 * The words on the wire are described in realtime/core/protocol.py.
 *
 * @typedef {"connecting" | "live" | "stale" | "reconnecting" | "offline"} State
 *   connecting    the first attempt is under way
 *   live          messages flow
 *   stale         connected, but nothing flows: the server lost its broker, or does not answer
 *   reconnecting  the link was lost; the next attempt is at `retryAtMs`
 *   offline       this machine has no network, or nothing is tried: not signed in, or closed
 *
 * @typedef {object} Status
 * @property {State} state
 * @property {number} sinceMs    when this state began, by this machine's clock
 * @property {"" | "broker" | "silent" | "network" | "sign-in" | "slow" | "closed"} reason
 * @property {number} retryAtMs  0 when no attempt is planned
 *
 * @typedef {(data: any, topic: string) => void} OnMessage
 * @typedef {(error: {code: string, message: string}) => void} OnRefused
 */

const PING_EVERY_MS = 2_000;
const STALE_AFTER_MS = 3_000;
const DEAD_AFTER_MS = 8_000;
const CONNECT_WITHIN_MS = 10_000;
const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 20_000;
const ASK_AGAIN_MS = 1_000;
const TOPICS_PER_COMMAND = 100;
const ROUTES_KEPT = 10_000;

const CLOSE_SLOW = 4008;
const CLOSE_SIGN_IN = 4401;

/**
 * Whether a concrete topic falls under a pattern: `*` is one token, `>` at the end is the rest.
 *
 * @param {string} pattern
 * @param {string} topic
 */
export function matches(pattern, topic) {
  const wide = pattern.split(".");
  const narrow = topic.split(".");
  for (const [index, token] of wide.entries()) {
    if (token === ">") return narrow.length > index;
    if (index >= narrow.length) return false;
    if (token !== "*" && token !== narrow[index]) return false;
  }
  return wide.length === narrow.length;
}

/**
 * How long to wait before an attempt: full jitter, so that clients of a restarted server spread.
 *
 * @param {number} attempt  0 for the first one after a loss
 * @param {number} dice     0 to 1
 */
export function backoffMs(attempt, dice) {
  return dice * Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** attempt);
}

export class Client {
  /** @type {(status: Status) => void} */
  onstate = () => {};
  /** Every frame of any kind, before it is acted upon. @type {(frame: any) => void} */
  onframe = () => {};
  /** @type {Status} */
  status = { state: "offline", sinceMs: 0, reason: "closed", retryAtMs: 0 };
  /** Names one life of the server's hub. */
  epoch = "";
  /** The last measured way to the server and back; NaN before that. */
  roundTripMs = NaN;

  #url;
  #open;
  #now;
  #random;
  #timers;
  #network;
  /** @type {any} */
  #socket = null;
  #attempt = 0;
  #lastId = 0;
  #clockAheadMs = 0;
  #linkUp = false;
  #silent = false;
  /** @type {Map<string, Set<{callback: OnMessage, refused: OnRefused}>>} */
  #wanted = new Map();
  /** Asked for since the last command. @type {Set<string>} */
  #fresh = new Set();
  /** Commands without an answer yet. @type {Map<number, string[]>} */
  #asked = new Map();
  /** @type {Map<string, OnMessage[]>} */
  #routes = new Map();
  /** @type {Map<string, any>} */
  #running = new Map();
  #pingSentMs = 0;

  /**
   * @param {string} url
   * @param {object} [ports]  what a test replaces
   * @param {(url: string) => any} [ports.socket]
   * @param {() => number} [ports.now]
   * @param {() => number} [ports.random]
   * @param {{setTimeout: Function, clearTimeout: Function}} [ports.timers]
   * @param {any} [ports.network]  tells `online` and `offline`, as a window does
   */
  constructor(url, ports = {}) {
    this.#url = url;
    this.#open = ports.socket ?? ((address) => new WebSocket(address));
    this.#now = ports.now ?? (() => Date.now());
    this.#random = ports.random ?? Math.random;
    this.#timers = ports.timers ?? {
      setTimeout: (/** @type {any} */ call, /** @type {number} */ ms) => setTimeout(call, ms),
      clearTimeout: (/** @type {any} */ timer) => clearTimeout(timer),
    };
    this.#network = ports.network ?? globalThis;
  }

  open() {
    if (this.#socket || this.#running.has("retry")) return;
    this.#network.addEventListener?.("online", this.#online);
    this.#network.addEventListener?.("offline", this.#offline);
    this.#attempt = 0;
    this.#connect("connecting");
  }

  close() {
    this.#network.removeEventListener?.("online", this.#online);
    this.#network.removeEventListener?.("offline", this.#offline);
    this.#drop();
    this.#become("offline", "closed");
  }

  /** This moment by the server's clock, in ms since 1970. */
  serverNow() {
    return this.#now() + this.#clockAheadMs;
  }

  /**
   * Get the messages of a pattern, now and after every reconnection.
   *
   * @param {string} pattern
   * @param {OnMessage} callback
   * @param {OnRefused} [refused]  told when the server does not allow it
   * @returns {() => void} ends it
   */
  subscribe(pattern, callback, refused = () => {}) {
    const entry = { callback, refused };
    const entries = this.#wanted.get(pattern);
    if (entries) {
      entries.add(entry);
    } else {
      this.#wanted.set(pattern, new Set([entry]));
      this.#ask([pattern]);
    }
    this.#routes.clear();
    return () => this.#unsubscribe(pattern, entry);
  }

  #online = () => {
    if (this.#running.has("retry")) {
      this.#attempt = 0;
      this.#connect("reconnecting");
    }
  };

  #offline = () => {
    // Not the end: a server on this machine is still there. Find out now instead of later.
    if (this.#socket?.readyState === 1) this.#ping();
  };

  /** @param {"connecting" | "reconnecting"} state */
  #connect(state) {
    this.#drop();
    this.#become(state, this.status.reason === "closed" ? "" : this.status.reason);
    const socket = this.#open(this.#url);
    this.#socket = socket;
    // A socket that was given up may still speak; only the present one is heard.
    socket.onmessage = (/** @type {{data: string}} */ event) => {
      if (socket === this.#socket) this.#hear(event.data);
    };
    socket.onclose = (/** @type {{code: number}} */ event) => {
      if (socket === this.#socket) this.#lost(event.code);
    };
    this.#after("connect", CONNECT_WITHIN_MS, () => this.#lost(0));
  }

  /** @param {number} code */
  #lost(code) {
    this.#drop();
    if (code === CLOSE_SIGN_IN) {
      this.#become("offline", "sign-in");
      return;
    }
    const waitMs = backoffMs(this.#attempt, this.#random());
    this.#attempt += 1;
    const retryAtMs = this.#now() + waitMs;
    if (this.#network.navigator?.onLine === false) this.#become("offline", "network", retryAtMs);
    else this.#become("reconnecting", code === CLOSE_SLOW ? "slow" : "", retryAtMs);
    this.#after("retry", waitMs, () => this.#connect("reconnecting"));
  }

  #drop() {
    for (const timer of this.#running.values()) this.#timers.clearTimeout(timer);
    this.#running.clear();
    this.#asked.clear();
    this.#linkUp = this.#silent = false;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  /** @param {string} text */
  #hear(text) {
    const frame = JSON.parse(text);
    this.#answered();
    this.onframe(frame);
    switch (frame.type) {
      case "message":
        this.#deliver(frame.topic, frame.data);
        break;
      case "hello":
        this.#welcome(frame);
        break;
      case "link":
        this.#linkUp = frame.state === "up";
        this.#judge();
        break;
      case "pong":
        this.roundTripMs = this.#now() - this.#pingSentMs;
        this.#setClock(frame.timeMs + this.roundTripMs / 2);
        break;
      case "subscribed":
        this.#asked.delete(frame.id);
        break;
      case "error":
        this.#refused(frame);
        break;
    }
  }

  /** @param {{epoch: string, timeMs: number}} hello */
  #welcome(hello) {
    this.epoch = hello.epoch;
    this.#attempt = 0;
    this.#cancel("connect");
    this.#setClock(hello.timeMs);
    this.#fresh.clear();
    this.#ask([...this.#wanted.keys()]);
    this.#ping();
  }

  /** @param {number} serverMs */
  #setClock(serverMs) {
    this.#clockAheadMs = serverMs - this.#now();
  }

  #ping() {
    this.#after("ping", PING_EVERY_MS, () => this.#ping());
    if (this.#running.has("dead")) return; // Nothing was heard since the last one.
    this.#pingSentMs = this.#now();
    this.#send({ id: ++this.#lastId, action: "ping" });
    this.#after("stale", STALE_AFTER_MS, () => {
      this.#silent = true;
      this.#judge();
    });
    this.#after("dead", DEAD_AFTER_MS, () => this.#lost(0));
  }

  #answered() {
    this.#cancel("stale");
    this.#cancel("dead");
    if (this.#silent) {
      this.#silent = false;
      this.#judge();
    }
  }

  #judge() {
    if (this.#silent) this.#become("stale", "silent");
    else if (this.#linkUp) this.#become("live", "");
    else this.#become("stale", "broker");
  }

  /**
   * @param {string} topic
   * @param {any} data
   */
  #deliver(topic, data) {
    let callbacks = this.#routes.get(topic);
    if (!callbacks) {
      callbacks = [...this.#wanted]
        .filter(([pattern]) => matches(pattern, topic))
        .flatMap(([, entries]) => [...entries].map((entry) => entry.callback));
      if (this.#routes.size >= ROUTES_KEPT) this.#routes.clear();
      this.#routes.set(topic, callbacks);
    }
    for (const callback of callbacks) callback(data, topic);
  }

  /**
   * @param {string} pattern
   * @param {{callback: OnMessage, refused: OnRefused}} entry
   */
  #unsubscribe(pattern, entry) {
    const entries = this.#wanted.get(pattern);
    if (!entries?.delete(entry)) return;
    this.#routes.clear();
    if (entries.size) return;
    this.#wanted.delete(pattern);
    if (!this.#fresh.delete(pattern)) {
      this.#send({ id: ++this.#lastId, action: "unsubscribe", topics: [pattern] });
    }
  }

  /** Ask for all patterns of this turn with one command. @param {string[]} patterns */
  #ask(patterns) {
    if (!this.#fresh.size) queueMicrotask(() => this.#askNow());
    for (const pattern of patterns) this.#fresh.add(pattern);
  }

  #askNow() {
    const topics = [...this.#fresh];
    this.#fresh.clear();
    if (!this.epoch) return; // The server's hello asks for everything that is wanted.
    for (let first = 0; first < topics.length; first += TOPICS_PER_COMMAND) {
      const some = topics.slice(first, first + TOPICS_PER_COMMAND);
      const id = ++this.#lastId;
      if (this.#send({ id, action: "subscribe", topics: some })) this.#asked.set(id, some);
    }
  }

  /** @param {{id: number | null, code: string, message: string, topic?: string}} error */
  #refused(error) {
    const topics = error.id === null ? undefined : this.#asked.get(error.id);
    if (topics) this.#asked.delete(/** @type {number} */ (error.id));
    if (error.id === null && error.code === "too_many") {
      this.#after("again", ASK_AGAIN_MS, () => {
        const unanswered = [...this.#asked.values()].flat();
        this.#asked.clear();
        this.#ask(unanswered);
      });
      return;
    }
    if (!topics) return;
    // A command is refused as a whole: leave out what it named, or everything, and ask again.
    const refused = error.topic === undefined ? topics : [error.topic];
    for (const pattern of refused) {
      const entries = this.#wanted.get(pattern) ?? new Set();
      this.#wanted.delete(pattern);
      for (const entry of entries) entry.refused({ code: error.code, message: error.message });
    }
    this.#routes.clear();
    const rest = topics.filter((topic) => this.#wanted.has(topic));
    if (rest.length) this.#ask(rest);
  }

  /** @param {object} command */
  #send(command) {
    const isOpen = this.#socket?.readyState === 1;
    if (isOpen) this.#socket.send(JSON.stringify(command));
    return isOpen;
  }

  /**
   * @param {State} state
   * @param {Status["reason"]} reason
   */
  #become(state, reason, retryAtMs = 0) {
    const before = this.status;
    if (before.state === state && before.reason === reason && before.retryAtMs === retryAtMs) {
      return;
    }
    const sinceMs = before.state === state ? before.sinceMs : this.#now();
    this.status = { state, reason, retryAtMs, sinceMs };
    this.onstate(this.status);
  }

  /**
   * @param {string} name  a timer of the same name is replaced
   * @param {number} ms
   * @param {() => void} call
   */
  #after(name, ms, call) {
    this.#cancel(name);
    const timer = this.#timers.setTimeout(() => {
      this.#running.delete(name);
      call();
    }, ms);
    this.#running.set(name, timer);
  }

  /** @param {string} name */
  #cancel(name) {
    this.#timers.clearTimeout(this.#running.get(name));
    this.#running.delete(name);
  }
}
