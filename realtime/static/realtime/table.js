// @ts-check
/**
 * A table whose cells change: keyed rows, painted only where they differ, sorted and filtered.
 *
 * @typedef {object} Cell
 * @property {string} text
 * @property {"" | "up" | "down"} [tone]
 * @property {string} [note]  smaller, behind the text
 *
 * @template Row
 * @typedef {object} Column
 * @property {(row: Row) => Cell} cell
 * @property {(row: Row) => string | number} sort
 * @property {boolean} [button]  its text can be pressed; `mark` says which one is
 * @property {boolean} [long]    may be cut; its whole text is shown to who points at it
 * @property {boolean} [flash]   draws the eye to a change
 * @property {boolean} [moves]   its order changes by itself
 */

const RESORT_MS = 1_000;
const FLASH_MS = 700;
const calm = globalThis.matchMedia?.("(prefers-reduced-motion: reduce)");

/** @template {{key: string}} Row */
export class LiveTable {
  /** @type {(shown: number, all: number) => void} */
  oncount = () => {};

  #table;
  #body;
  #columns;
  #rows;
  #isStale;
  /** @type {Map<string, {element: HTMLTableRowElement, cells: {td: HTMLElement, bdi: HTMLElement, note: HTMLElement | null, shown: string}[]}>} */
  #painted = new Map();
  /** @type {string[]} */
  #names;
  #filter = "";
  #sortBy;
  #descending = false;
  #sortedMs = 0;

  /**
   * The order of the columns, their headings and their first sorting are the page's.
   *
   * @param {HTMLTableElement} table
   * @param {Map<string, Row>} rows
   * @param {Record<string, Column<Row>>} columns
   * @param {(row: Row) => boolean} isStale
   */
  constructor(table, rows, columns, isStale) {
    this.#table = table;
    this.#body = table.tBodies[0];
    this.#rows = rows;
    this.#columns = columns;
    this.#isStale = isStale;
    const headings = [...table.querySelectorAll("th[data-column]")];
    this.#names = headings.map((th) => /** @type {HTMLElement} */ (th).dataset.column ?? "");
    this.#sortBy = this.#names[0];
    this.#labels = headings.map((th) => th.textContent?.trim() ?? "");
    for (const th of headings) {
      th.querySelector("button")?.addEventListener("click", () => this.#sortWith(th));
    }
  }

  #labels;

  /** @param {string} text */
  set filter(text) {
    this.#filter = text.trim().toLowerCase();
    for (const key of this.#painted.keys()) this.#hide(key);
    this.#tellCount();
  }

  /** @param {Iterable<string>} keys @param {number} nowMs */
  paint(keys, nowMs) {
    let added = false;
    for (const key of keys) {
      const row = this.#rows.get(key);
      if (!row) continue;
      const isNew = !this.#painted.has(key);
      added ||= isNew;
      this.#paintRow(row);
      if (isNew || this.#filter) this.#hide(key);
    }
    const due = this.#columns[this.#sortBy].moves && nowMs - this.#sortedMs > RESORT_MS;
    if (added || due) this.#sort(nowMs);
    if (added) this.#tellCount();
  }

  /** Show one row as the chosen one. @param {string} key */
  mark(key) {
    for (const [each, { element }] of this.#painted) {
      element.classList.toggle("chosen", each === key);
      element.querySelector("button")?.setAttribute("aria-pressed", String(each === key));
    }
  }

  /** @param {Row} row */
  #paintRow(row) {
    const painted = this.#painted.get(row.key) ?? this.#create(row);
    painted.element.classList.toggle("stale", this.#isStale(row));
    for (const [index, name] of this.#names.entries()) {
      const column = this.#columns[name];
      const { text, tone = "", note = "" } = column.cell(row);
      const cell = painted.cells[index];
      const shown = `${text}\n${tone}\n${note}`;
      if (cell.shown === shown) continue;
      const wasShown = cell.shown;
      cell.shown = shown;
      if (cell.bdi.textContent !== text) cell.bdi.textContent = text;
      if (column.long) cell.td.title = text;
      if (cell.td.dataset.tone !== tone) cell.td.dataset.tone = tone;
      if (note || cell.note) this.#annotate(cell, note);
      if (column.flash && wasShown) this.#flash(cell.td, tone);
    }
  }

  /** @param {{td: HTMLElement, note: HTMLElement | null}} cell @param {string} note */
  #annotate(cell, note) {
    cell.note ??= cell.td.appendChild(document.createElement("span"));
    cell.note.className = "note";
    // Its distance is the page's direction, its letters are its own.
    const words = document.createElement("bdi");
    words.textContent = cell.note.title = note;
    cell.note.replaceChildren(words);
  }

  /** @param {Row} row */
  #create(row) {
    const element = this.#body.insertRow();
    element.dataset.key = row.key;
    const cells = this.#names.map((name, index) => {
      const td = element.insertCell();
      td.dataset.column = name;
      td.dataset.label = this.#labels[index];
      const holder = this.#columns[name].button ? td.appendChild(button()) : td;
      const bdi = holder.appendChild(document.createElement("bdi"));
      return { td, bdi, note: null, shown: "" };
    });
    const painted = { element, cells };
    this.#painted.set(row.key, painted);
    return painted;
  }

  /** @param {HTMLElement} td @param {string} tone */
  #flash(td, tone) {
    if (calm?.matches || document.hidden) return;
    const colour = getComputedStyle(td).getPropertyValue(`--flash-${tone || "same"}`);
    td.animate([{ backgroundColor: colour }, { backgroundColor: "transparent" }], FLASH_MS);
  }

  /** @param {Element} th */
  #sortWith(th) {
    const name = /** @type {HTMLElement} */ (th).dataset.column ?? "";
    this.#descending = name === this.#sortBy && !this.#descending;
    this.#sortBy = name;
    for (const each of this.#table.querySelectorAll("th[data-column]")) {
      if (each === th) {
        each.setAttribute("aria-sort", this.#descending ? "descending" : "ascending");
      } else {
        each.removeAttribute("aria-sort");
      }
    }
    this.#sort(0);
  }

  /** @param {number} nowMs */
  #sort(nowMs) {
    this.#sortedMs = nowMs;
    const { sort } = this.#columns[this.#sortBy];
    const direction = this.#descending ? -1 : 1;
    const ordered = [...this.#painted]
      .map(([key, { element }]) => {
        const row = /** @type {Row} */ (this.#rows.get(key));
        return { value: sort(row), key, element };
      })
      .sort((a, b) => direction * compare(a.value, b.value) || compare(a.key, b.key));
    for (const [index, { element }] of ordered.entries()) {
      // Only what stands elsewhere is moved: a row that stays keeps its focus.
      const there = this.#body.rows[index];
      if (there !== element) this.#body.insertBefore(element, there ?? null);
    }
  }

  /** @param {string} key */
  #hide(key) {
    const painted = this.#painted.get(key);
    if (!painted) return;
    const text = painted.cells.slice(0, 2).map(({ td }) => td.textContent).join(" ");
    painted.element.hidden = !`${key} ${text}`.toLowerCase().includes(this.#filter);
  }

  #tellCount() {
    const shown = [...this.#painted.values()].filter(({ element }) => !element.hidden).length;
    this.oncount(shown, this.#painted.size);
  }
}

function button() {
  const made = document.createElement("button");
  made.type = "button";
  made.setAttribute("aria-pressed", "false");
  return made;
}

/** Unknown numbers come first. @param {any} a @param {any} b */
function compare(a, b) {
  if (typeof a === "string" && typeof b === "string") {
    return a.localeCompare(b, undefined, { numeric: true });
  }
  const left = Number.isFinite(a) ? a : -Infinity;
  const right = Number.isFinite(b) ? b : -Infinity;
  return left === right ? 0 : left < right ? -1 : 1;
}
