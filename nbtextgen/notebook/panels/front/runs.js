// A table of runs that can be sorted, and buttons that act on those that are chosen.

/** @typedef {{ name: string, cells: string[], keys: (number | string)[] }} RunRow */

/** @typedef {{ heads: string[], rows: RunRow[], disabled: boolean }} RunsState traits of `RunsTable` in Python */

/** @typedef {{ action: "open" | "resume" | "compare" | "delete", names: string[] }} RunAction */

/**
 * Rows in the order of a column; those without a value come last.
 *
 * @param {RunRow[]} rows
 * @param {number} column
 * @param {boolean} down
 */
function sortedRows(rows, column, down) {
  const sign = down ? -1 : 1;
  return [...rows].sort((first, second) => {
    const [left, right] = [first.keys[column], second.keys[column]];
    if (left === "" || right === "") return Number(left === "") - Number(right === "");
    if (typeof left === "number" && typeof right === "number") return sign * (left - right);
    return sign * String(left).localeCompare(String(right));
  });
}

/** @param {{ model: WidgetModel<RunsState, RunAction, never>, el: HTMLElement }} context */
function render({ model, el: root }) {
  root.classList.add("ntg", "ntg-runs");
  const releaseKeys = keepKeys(root);
  /** @type {Set<string>} */
  let chosen = new Set();
  /** @type {{ column: number, down: boolean } | null} */
  let order = null;
  let sure = false;
  const actions = el("div", { class: "ntg-row", role: "toolbar", "aria-label": "Act on the chosen runs" });
  const hint = el("span", { class: "ntg-muted", text: "Choose runs in the table." });
  const table = el("table");
  root.replaceChildren(
    actions,
    el("div", { class: "ntg-table", tabindex: 0, role: "group", "aria-label": "Runs" }, table),
  );

  /** @param {RunAction["action"]} action */
  const send = (action) => {
    model.send({ action, names: [...chosen] });
    sure = false;
    drawActions();
  };
  function ask() {
    if (sure) send("delete");
    else {
      sure = true;
      drawActions();
    }
  }
  // The nodes stay, so that the pressed one keeps the focus.
  const open = button("Open", () => send("open"), { title: "Load its best model and show its training" });
  const resume = button("Resume", () => send("resume"), { title: "Continue its training" });
  const compare = button("Compare", () => send("compare"), { title: "Settings that differ, and curves" });
  const remove = button("Delete", ask, { title: "Delete their folders" });
  actions.append(open, resume, compare, remove, hint);
  function drawActions() {
    const count = chosen.size;
    const disabled = Boolean(model.get("disabled"));
    open.disabled = resume.disabled = disabled || count !== 1;
    compare.disabled = disabled || count < 2;
    remove.disabled = disabled || !count;
    setText(remove, sure ? `Delete ${count} for ever?` : "Delete");
    hint.hidden = count > 0 || !(model.get("rows") ?? []).length;
  }
  /** @param {RunRow} row */
  function rowElement({ name, cells }) {
    const box = el("input", { type: "checkbox", "aria-label": `Choose ${visible(name)}` });
    box.checked = chosen.has(name);
    box.addEventListener("change", () => {
      if (box.checked) chosen.add(name);
      else chosen.delete(name);
      sure = false;
      drawActions();
    });
    const texts = cells.map((cell) => el("td", {}, el("bdi", { text: visible(cell) })));
    return el("tr", {}, el("td", {}, box), ...texts);
  }
  /**
   * @param {string} head
   * @param {number} column
   */
  function headElement(head, column) {
    const sorted = order?.column === column ? (order.down ? "descending" : "ascending") : null;
    const sort = () => {
      order = { column, down: order?.column === column ? !order.down : false };
      draw();
      /** @type {HTMLElement | null} */ (table.querySelectorAll("th button")[column])?.focus();
    };
    const sign = sorted ? (order?.down ? " \u25BE" : " \u25B4") : "";
    const press = button(visible(head) + sign, sort, { class: "ntg-sort", title: `Sort by ${visible(head)}` });
    return el("th", { scope: "col", "aria-sort": sorted }, press);
  }
  function draw() {
    const rows = model.get("rows") ?? [];
    chosen = new Set(rows.map(({ name }) => name).filter((name) => chosen.has(name)));
    const heads = (model.get("heads") ?? []).map(headElement);
    const ordered = order ? sortedRows(rows, order.column, order.down) : rows;
    table.replaceChildren(
      el("thead", {}, el("tr", {}, el("td"), ...heads)),
      el("tbody", {}, ...ordered.map(rowElement)),
    );
    drawActions();
  }
  draw();
  const release = listen(model, { "change:rows": draw, "change:disabled": drawActions });
  return () => {
    releaseKeys();
    release();
  };
}

export default { render };
