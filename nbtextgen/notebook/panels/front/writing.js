// What models wrote: every token shaded by its probability; a click on one offers what else could have stood there.

const percent = (share) => (share >= 0.1 ? `${Math.round(share * 100)} %` : `${(share * 100).toPrecision(2)} %`);

function tokenElement(token, place) {
  const label = token.end ? "end of the text" : `“${token.text}”`;
  const forced = token.forced ? ", chosen by you" : "";
  const shown = el("span", {
    class: `ntg-token${token.end ? " ntg-end" : ""}${token.forced ? " ntg-forced" : ""}${token.differs ? " ntg-differs" : ""}`,
    role: "button",
    tabindex: -1,
    "aria-haspopup": "menu",
    "aria-expanded": "false",
    "aria-label": `${label}, probability ${percent(token.p)}${forced}; other tokens`,
    title: `${label}: ${percent(token.p)}${forced}`,
    text: token.end ? "■" : token.text,
  });
  shown.style.setProperty("--doubt", (0.55 * (1 - token.p)).toFixed(3));
  shown.place = place;
  return shown;
}

function rowElement(row, column, at, titles, send) {
  const tokens = el("span", {
    class: "ntg-tokens",
    dir: "auto",
    role: "group",
    "aria-label": `${titles} output ${at + 1}: ${row.text}`,
  });
  row.tokens.forEach((token, number) => {
    if (token.before) tokens.append(token.before);
    tokens.append(tokenElement(token, { column, row: at, at: number }));
  });
  const first = tokens.querySelector(".ntg-token");
  if (first) first.tabIndex = 0;
  const score = el("span", { class: "ntg-score", title: "score that ranks the outputs", text: row.score });
  const why = button("Explain", () => send({ kind: "explain", column, row: at }), {
    class: "ntg-button ntg-small",
    title: "why the model wrote this",
    "aria-label": `Explain: ${row.text}`,
  });
  return el("li", {}, tokens, score, why);
}

function columnElement(column, number, send) {
  const title = el("div", { class: "ntg-title", text: visible(column.title) });
  if (column.forced) {
    const release = () => send({ kind: "release", column: number });
    title.append(" ", button("Release choice", release, { class: "ntg-button ntg-small" }));
  }
  const whole = el("div", { class: "ntg-column", role: "group", "aria-label": `written by ${column.title}` }, title);
  if (column.error) whole.append(el("div", { class: "ntg-error", role: "alert", text: visible(column.error) }));
  const list = el("ol", {});
  column.rows.forEach((row, at) => list.append(rowElement(row, number, at, column.title, send)));
  if (column.rows.length) whole.append(list);
  return whole;
}

// Arrow keys move from token to token, in the direction of reading.
function step(token, key) {
  const all = [...token.closest(".ntg-tokens").querySelectorAll(".ntg-token")];
  const backwards = getComputedStyle(token.closest(".ntg-tokens")).direction === "rtl";
  const at = all.indexOf(token);
  const next = { ArrowRight: at + (backwards ? -1 : 1), ArrowLeft: at + (backwards ? 1 : -1), Home: 0, End: all.length - 1 }[key];
  return all[next];
}

function menu(alternatives, anchor, id, choose, close) {
  const items = alternatives.options.map((option, number) => {
    const bar = el("span", { class: "ntg-bar" });
    bar.style.setProperty("--share", option.p.toFixed(4));
    const name = el("span", { class: "ntg-option", dir: "auto", text: option.end ? "■ end here" : option.text });
    const item = el(
      "div",
      { role: "menuitem", tabindex: -1, "aria-label": `${option.end ? "end here" : option.text}, ${percent(option.p)}${option.taken ? ", written" : ""}` },
      name,
      bar,
      el("span", { class: "ntg-score", text: percent(option.p) }),
    );
    if (option.taken) item.classList.add("ntg-taken");
    item.addEventListener("click", () => choose(number));
    return item;
  });
  const box = el("div", { id, class: "ntg-menu", role: "menu", "aria-label": "What else could stand here" }, ...items);
  box.addEventListener("keydown", (event) => {
    const at = items.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (next !== undefined) items[(next + items.length) % items.length].focus();
    else if (event.key === "Enter" || event.key === " ") items[at]?.click();
    else if (event.key === "Escape" || event.key === "Tab") close(true);
    else return;
    event.preventDefault();
    event.stopPropagation(); // the notebook's own keys must not act on it
  });
  const where = anchor.getBoundingClientRect();
  const frame = anchor.closest(".ntg-writing").getBoundingClientRect();
  box.style.top = `${where.bottom - frame.top + 4}px`;
  box.style.left = `${Math.max(0, Math.min(where.left - frame.left, frame.width - 230))}px`;
  return { box, focus: () => items[0]?.focus() };
}

function render({ model, el: root }) {
  const number = Math.random().toString(36).slice(2);
  root.classList.add("ntg", "ntg-writing");
  const release = keepKeys(root);
  const columns = el("div", { class: "ntg-columns", "aria-live": "off" });
  const status = el("div", { class: "ntg-status", role: "status" });
  root.replaceChildren(columns, status);
  let opened = null;
  let asked = null;

  const send = (message) => model.send({ version: model.get("version"), ...message });
  const tokenAt = ({ column, row, at }) =>
    [...columns.querySelectorAll(".ntg-token")].find(({ place }) => place.column === column && place.row === row && place.at === at);

  function close(back) {
    opened?.box.remove();
    const anchor = opened?.anchor;
    anchor?.setAttribute("aria-expanded", "false");
    opened = null;
    if (back) anchor?.focus();
  }
  function ask(token) {
    close(false);
    asked = token.place;
    send({ kind: "ask", ...token.place });
  }
  function drawColumns() {
    close(false);
    const held = document.activeElement?.place && root.contains(document.activeElement) ? document.activeElement.place : asked;
    const refocus = root.contains(document.activeElement);
    columns.replaceChildren(...model.get("columns").map((column, at) => columnElement(column, at, send)));
    if (refocus && held) tokenAt(held)?.focus();
  }
  function drawMenu() {
    const alternatives = model.get("alternatives");
    if (!alternatives.options || alternatives.version !== model.get("version")) return close(false);
    const anchor = tokenAt(alternatives);
    if (!anchor) return;
    close(false);
    const choose = (choice) => {
      const { column, row, at } = alternatives;
      close(true);
      send({ kind: "choose", column, row, at, choice });
    };
    const made = menu(alternatives, anchor, `ntg-menu${number}`, choose, close);
    root.append(made.box);
    anchor.setAttribute("aria-expanded", "true");
    opened = { box: made.box, anchor };
    made.focus();
  }
  const drawStatus = () => (status.textContent = visible(model.get("status")));

  columns.addEventListener("click", (event) => {
    const token = event.target.closest(".ntg-token");
    if (token) ask(token);
  });
  columns.addEventListener("keydown", (event) => {
    const token = event.target.closest(".ntg-token");
    if (!token) return;
    if (event.key === "Enter" || event.key === " ") ask(token);
    else {
      const next = step(token, event.key);
      if (!next) return;
      token.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    }
    event.preventDefault();
    event.stopPropagation();
  });
  const outside = (event) => opened && !opened.box.contains(event.target) && close(false);
  document.addEventListener("pointerdown", outside);

  drawColumns();
  drawStatus();
  model.on("change:columns", drawColumns);
  model.on("change:alternatives", drawMenu);
  model.on("change:status", drawStatus);
  return () => {
    release();
    document.removeEventListener("pointerdown", outside);
    model.off("change:columns", drawColumns);
    model.off("change:alternatives", drawMenu);
    model.off("change:status", drawStatus);
  };
}

export default { render };
