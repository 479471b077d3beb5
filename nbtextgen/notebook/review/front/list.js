// The list of a review: as high as all its rows, of which only those in view are in the page.

/** @typedef {"undecided" | "passed" | "accepted" | "corrected" | "skipped"} RowState */

/** @typedef {{ row: number, source: string, text: string, confidence: string, state: RowState }} ListedRow */

/** @typedef {{ start: number, count: number, rows: ListedRow[] }} ListWindow */

const ROW_HEIGHT = 44; // pixels, as in panel.css
const NEAR = 10; // rows before the end of the window at which more are asked for

/** @type {Record<RowState, { sign: string, words: string }>} */
const STATES = {
  undecided: { sign: "", words: "not decided yet" },
  passed: { sign: "·", words: "accepted by its confidence" },
  accepted: { sign: "✓", words: "accepted" },
  corrected: { sign: "✎", words: "corrected" },
  skipped: { sign: "–", words: "skipped" },
};

class RowList {
  /**
   * @param {(position: number) => void} onGo
   * @param {(start: number) => void} onWindow called with the first row that is missing in view
   */
  constructor(onGo, onWindow) {
    this.onGo = onGo;
    this.onWindow = onWindow;
    /** @type {ListWindow} */
    this.window = { start: 0, count: 0, rows: [] };
    this.position = 0;
    this.asked = -1; // the window that was asked for last
    this.id = uniqueId();
    this.space = el("div", { class: "ntr-space", role: "presentation" });
    this.node = el(
      "div",
      { class: "ntr-list", role: "listbox", tabindex: 0, "aria-label": "Outputs, the most doubtful first" },
      this.space,
    );
    this.node.addEventListener("scroll", () => this.ask());
    this.node.addEventListener("keydown", (event) => this.key(event));
  }

  /**
   * @param {ListWindow} window
   * @param {number} position of the current row
   */
  draw(window, position) {
    const moved = position !== this.position || window.count !== this.window.count;
    this.window = window;
    this.position = position;
    this.asked = -1;
    this.space.style.height = `${window.count * ROW_HEIGHT}px`;
    this.space.replaceChildren(...window.rows.map((row, index) => this.option(row, window.start + index)));
    const current = this.space.querySelector('[aria-selected="true"]');
    if (current) this.node.setAttribute("aria-activedescendant", current.id);
    else this.node.removeAttribute("aria-activedescendant");
    if (moved) this.reveal();
    else this.ask();
  }

  /** Scrolls so that the current row is in view, with a row around it. */
  reveal() {
    const top = this.position * ROW_HEIGHT;
    const { scrollTop, clientHeight } = this.node;
    if (top - ROW_HEIGHT < scrollTop) this.node.scrollTop = Math.max(0, top - ROW_HEIGHT);
    else if (top + 2 * ROW_HEIGHT > scrollTop + clientHeight) this.node.scrollTop = top + 2 * ROW_HEIGHT - clientHeight;
  }

  /** Asks for the rows in view, if they are not in the window. */
  ask() {
    const first = Math.floor(this.node.scrollTop / ROW_HEIGHT);
    const shown = Math.ceil(this.node.clientHeight / ROW_HEIGHT);
    const { start, count, rows } = this.window;
    const missing =
      (first < start + NEAR && start > 0) ||
      (first + shown + NEAR > start + rows.length && start + rows.length < count);
    const wish = Math.max(0, first - Math.floor((rows.length - shown) / 2));
    if (!missing || wish === this.asked || wish === start) return;
    this.asked = wish;
    this.onWindow(wish);
  }

  /**
   * @param {ListedRow} row
   * @param {number} position
   */
  option({ row, source, text, confidence, state }, position) {
    const { sign, words } = STATES[state];
    const current = position === this.position;
    const node = el(
      "div",
      {
        class: `ntr-option ntr-${state}`,
        role: "option",
        id: `${this.id}-${row}`,
        "aria-selected": String(current),
        "aria-setsize": this.window.count,
        "aria-posinset": position + 1,
        click: () => this.onGo(position),
      },
      el("span", { class: "ntr-sign", "aria-hidden": "true", title: words, text: sign }),
      el(
        "span",
        { class: "ntr-texts" },
        el("bdi", { text: visible(source) }),
        el("bdi", { class: "ntg-muted", text: text ? visible(text) : "empty" }),
      ),
      el("span", { class: "ntr-share ntg-muted", text: confidence }),
      el("span", { class: "ntg-hidden", text: `, ${words}` }),
    );
    node.style.top = `${position * ROW_HEIGHT}px`;
    return node;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const page = Math.max(1, Math.floor(this.node.clientHeight / ROW_HEIGHT) - 1);
    const last = this.window.count - 1;
    const to = { Home: 0, End: last, PageDown: this.position + page, PageUp: this.position - page }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.onGo(Math.max(0, Math.min(last, to)));
  }
}
