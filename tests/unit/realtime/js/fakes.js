/** What a test puts in the place of time and of sockets. */

export class Time {
  nowMs = 1_000_000;
  #timers = new Map();
  #last = 0;

  now = () => this.nowMs;
  setTimeout = (call, ms) => {
    this.#timers.set(++this.#last, { call, atMs: this.nowMs + ms });
    return this.#last;
  };
  clearTimeout = (timer) => this.#timers.delete(timer);

  /** Let time pass, and every timer that is due go off in its turn. */
  pass(ms) {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, { atMs }]) => atMs <= untilMs);
      if (!due.length) break;
      const [timer, { call, atMs }] = due.reduce((a, b) => (b[1].atMs < a[1].atMs ? b : a));
      this.#timers.delete(timer);
      this.nowMs = atMs;
      call();
    }
    this.nowMs = untilMs;
  }
}

/** The server's end of a socket that a client opened. */
export class Socket {
  readyState = 0;
  commands = [];

  send(text) {
    this.commands.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  say(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }

  welcome({ timeMs = 1_000_000, epoch = "e" } = {}) {
    this.readyState = 1;
    this.say({ type: "hello", epoch, heartbeatS: 30, timeMs });
    this.say({ type: "link", state: "up" });
  }

  end(code) {
    this.readyState = 3;
    this.onclose({ code });
  }

  of(action) {
    return this.commands.filter((command) => command.action === action);
  }
}
