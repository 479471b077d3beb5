// The outputs of one or two models, each token shaded by its probability; a click on one opens its alternatives.

/**
 * @typedef {object} Token
 * @property {string} text
 * @property {string} before the white space before it
 * @property {number} p its probability
 * @property {boolean} forced whether the user chose it
 * @property {boolean} [end] whether it is the end of the output
 * @property {boolean} [differs] whether the other model did not write it
 */

/** @typedef {{ text: string, score: string, tokens: Token[] }} OutputRow */

/** @typedef {{ title: string, error: string, forced: boolean, rows: OutputRow[] }} Column */

/**
 * Traits of `OutputsView` in Python.
 *
 * @typedef {object} OutputsState
 * @property {Column[]} columns one for each model
 * @property {Alternatives} alternatives
 * @property {number} version rises with every new result; messages about older ones are dropped
 * @property {string} status
 * @property {boolean} sampling whether outputs are drawn at random
 */

/**
 * @typedef {| (TokenPlace & { kind: "ask" })
 *   | (TokenPlace & { kind: "choose", choice: number })
 *   | { kind: "release", column: number }
 *   | { kind: "draw" }
 *   | { kind: "explain", column: number, row: number }} OutputAction
 */

/** @typedef {(action: OutputAction) => void} SendAction */

const SCORE = "log-probability divided by the length penalty; outputs are ranked by it, higher is better";
const EXPLANATION_TIME = 5000; // milliseconds until the page no longer waits for an explanation to appear

/** @type {WeakMap<Element, TokenPlace>} */
const PLACES = new WeakMap();

/**
 * @param {Token} token
 * @param {TokenPlace} place
 */
function tokenElement(token, place) {
  const label = token.end ? "end of the text" : `“${token.text}”`;
  const forced = token.forced ? ", chosen by you" : "";
  const classes = ["ntg-token"];
  if (token.end) classes.push("ntg-end");
  if (token.forced) classes.push("ntg-forced");
  if (token.differs) classes.push("ntg-differs");
  const node = el("span", {
    class: classes.join(" "),
    role: "button",
    tabindex: -1,
    "aria-haspopup": "menu",
    "aria-expanded": "false",
    "aria-label": `${label}, probability ${formatPercent(token.p)}${forced}; other tokens`,
    title: `${label}: p = ${formatPercent(token.p)}${forced}`,
    text: token.end ? "■" : token.text,
  });
  node.style.setProperty("--doubt", (0.55 * (1 - token.p)).toFixed(3));
  PLACES.set(node, place);
  return node;
}

/**
 * @param {OutputRow} output
 * @param {{ column: number, row: number, title: string }} place
 * @param {SendAction} send
 */
function rowElement(output, { column, row, title }, send) {
  const label = `${title} output ${row + 1}: ${output.text}`;
  const tokens = el("span", { class: "ntg-tokens", dir: "auto", role: "group", "aria-label": label });
  for (const [at, token] of output.tokens.entries()) {
    if (token.before) tokens.append(token.before);
    const node = tokenElement(token, { column, row, at });
    if (at === 0) node.tabIndex = 0;
    tokens.append(node);
  }
  const score = el("span", { class: "ntg-score", title: SCORE, text: output.score });
  const explain = button("Explain", () => send({ kind: "explain", column, row }), {
    class: "ntg-button ntg-small",
    title: "show which parts of the input led to this output",
    "aria-label": `Explain: ${output.text}`,
  });
  return el("li", {}, tokens, score, explain);
}

/**
 * @param {Column} output
 * @param {number} column
 * @param {SendAction} send
 */
function columnElement(output, column, send) {
  const { title, rows, error, forced } = output;
  const release = () => send({ kind: "release", column });
  const items = rows.map((row, index) => rowElement(row, { column, row: index, title }, send));
  return el(
    "div",
    { class: "ntg-column", role: "group", "aria-label": `output of ${title}` },
    el(
      "div",
      { class: "ntg-title", text: visible(title) },
      forced ? button("Release choice", release, { class: "ntg-button ntg-small" }) : null,
    ),
    error ? el("div", { class: "ntg-error", role: "alert", text: visible(error) }) : null,
    items.length ? el("ol", {}, ...items) : null,
  );
}

/** What the shading of tokens means. */
function legendElement() {
  const steps = [1, 0.75, 0.5, 0.25, 0].map((p) => {
    const step = el("span", { class: "ntg-shade" });
    step.style.setProperty("--doubt", (0.55 * (1 - p)).toFixed(3));
    return step;
  });
  const text = "probability of a token (%): ";
  return el("div", { class: "ntg-legend" }, text, "100 ", ...steps, " 0; press a token to see its alternatives");
}

/**
 * Brings the explanation that was asked for into view, as soon as it is there.
 *
 * @param {HTMLElement} root
 */
function showExplanation(root) {
  const before = root.parentElement?.querySelector(".nte");
  const end = performance.now() + EXPLANATION_TIME;
  const look = () => {
    const explanation = root.parentElement?.querySelector(".nte");
    if (explanation && explanation !== before) explanation.scrollIntoView({ block: "nearest" });
    else if (performance.now() < end) setTimeout(look, 100);
  };
  setTimeout(look, 100);
}

/**
 * The token that a key moves to; arrow keys follow the direction of reading.
 *
 * @param {HTMLElement} token
 * @param {string} key
 * @returns {HTMLElement | undefined}
 */
function nextToken(token, key) {
  const row = /** @type {HTMLElement} */ (token.closest(".ntg-tokens"));
  const tokens = [.../** @type {NodeListOf<HTMLElement>} */ (row.querySelectorAll(".ntg-token"))];
  const ahead = getComputedStyle(row).direction === "rtl" ? -1 : 1;
  const index = tokens.indexOf(token);
  const next = { ArrowRight: index + ahead, ArrowLeft: index - ahead, Home: 0, End: tokens.length - 1 }[key];
  return next === undefined ? undefined : tokens[next];
}

/**
 * The token in which an event happened.
 *
 * @param {Event} event
 */
function tokenOf(event) {
  return event.target instanceof Element
    ? /** @type {HTMLElement | null} */ (event.target.closest(".ntg-token"))
    : null;
}

/** @param {{ model: WidgetModel<OutputsState, OutputAction & { version: number }, never>, el: HTMLElement }} context */
function render({ model, el: root }) {
  const menuId = uniqueId();
  root.classList.add("ntg", "ntg-outputs");
  const releaseKeys = keepKeys(root);
  const columns = el("div", { class: "ntg-columns", "aria-live": "off" });
  const status = el("span", { role: "status" });
  const again = button("Draw again", () => send({ kind: "draw" }), { class: "ntg-button ntg-small" });
  const legend = legendElement();
  root.replaceChildren(columns, legend, el("div", { class: "ntg-status" }, status, again));
  /** @type {{ menu: HTMLElement, anchor: HTMLElement, place: () => void } | null} */
  let opened = null;
  /** @type {TokenPlace | undefined} */
  let asked;

  /** @type {SendAction} */
  function send(action) {
    model.send({ version: model.get("version"), ...action });
    if (action.kind === "explain") showExplanation(root);
  }
  /** @param {Partial<TokenPlace>} place */
  const tokenAt = ({ column, row, at }) => {
    const tokens = /** @type {NodeListOf<HTMLElement>} */ (columns.querySelectorAll(".ntg-token"));
    return [...tokens].find((token) => {
      const place = PLACES.get(token);
      return place?.column === column && place?.row === row && place?.at === at;
    });
  };
  /** @param {boolean} refocus */
  function close(refocus) {
    const anchor = opened?.anchor;
    opened?.menu.remove();
    opened = null;
    anchor?.setAttribute("aria-expanded", "false");
    if (refocus) anchor?.focus();
  }
  /** @param {HTMLElement} token */
  function ask(token) {
    close(false);
    asked = PLACES.get(token);
    if (asked) send({ kind: "ask", ...asked });
  }
  function drawColumns() {
    close(false);
    const focused = root.contains(document.activeElement) ? document.activeElement : null;
    const place = focused ? (PLACES.get(focused) ?? asked) : undefined;
    columns.replaceChildren(...model.get("columns").map((column, index) => columnElement(column, index, send)));
    legend.hidden = !columns.querySelector(".ntg-token");
    if (place) tokenAt(place)?.focus();
  }
  function drawMenu() {
    close(false);
    const { version, options, column, row, at } = model.get("alternatives");
    const anchor = tokenAt({ column, row, at });
    if (!options || version !== model.get("version") || !anchor) return;
    const place = /** @type {TokenPlace} */ (PLACES.get(anchor));
    /** @param {number} choice */
    const choose = (choice) => {
      close(true);
      send({ kind: "choose", ...place, choice });
    };
    const { menu, open, place: follow } = alternativesMenu(options, anchor, menuId, choose, () => close(true));
    root.append(menu);
    anchor.setAttribute("aria-expanded", "true");
    opened = { menu, anchor, place: follow };
    open();
  }
  const drawStatus = () => {
    status.textContent = visible(model.get("status"));
    again.hidden = !model.get("sampling");
  };

  columns.addEventListener("click", (event) => {
    const token = tokenOf(event);
    if (token) ask(token);
  });
  columns.addEventListener("keydown", (event) => {
    const token = tokenOf(event);
    if (!token) return;
    if (event.key === "Enter" || event.key === " ") ask(token);
    else {
      const next = nextToken(token, event.key);
      if (!next) return;
      token.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    }
    event.preventDefault();
    event.stopPropagation();
  });
  /** @param {PointerEvent} event */
  const onPointerDown = (event) => {
    if (opened && event.target instanceof Node && !opened.menu.contains(event.target)) close(false);
  };
  const onScroll = () => opened?.place(); // the menu has a place of its own in the window
  document.addEventListener("pointerdown", onPointerDown);
  document.addEventListener("scroll", onScroll, true);
  window.addEventListener("resize", onScroll);

  drawColumns();
  drawStatus();
  const release = listen(model, {
    "change:columns": drawColumns,
    "change:alternatives": drawMenu,
    "change:status": drawStatus,
    "change:sampling": drawStatus,
  });
  return () => {
    releaseKeys();
    release();
    document.removeEventListener("pointerdown", onPointerDown);
    document.removeEventListener("scroll", onScroll, true);
    window.removeEventListener("resize", onScroll);
  };
}

export default { render };
