// The menu of the tokens that the model could have written at one position.

/** @typedef {{ column: number, row: number, at: number }} TokenPlace `at` is the index of the token in its row */

/** @typedef {{ text: string, p: number, end: boolean, taken: boolean }} Alternative `end`: the output ends here */

/** @typedef {Partial<TokenPlace> & { version?: number, options?: Alternative[] }} Alternatives empty when no menu is open */

const MENU_WIDTH = 230; // pixels, as in the style sheet
const GAP = 4; // pixels between a token and its menu

/** @param {number} probability */
function formatPercent(probability) {
  const percent = 100 * probability;
  return probability >= 0.1 ? `${Math.round(percent)} %` : `${percent.toPrecision(2)} %`;
}

/**
 * @param {Alternative[]} alternatives
 * @param {HTMLElement} anchor the token
 * @param {string} id
 * @param {(choice: number) => void} onChoose
 * @param {() => void} onClose
 */
function alternativesMenu(alternatives, anchor, id, onChoose, onClose) {
  const items = alternatives.map((alternative, index) => {
    const item = menuItem(alternative);
    item.addEventListener("click", () => onChoose(index));
    return item;
  });
  const attributes = { id, class: "ntg-menu", popover: "manual", role: "menu", "aria-label": "Other tokens" };
  const menu = el("div", attributes, ...items);
  menu.addEventListener("keydown", (event) => {
    const index = items.findIndex((item) => item === document.activeElement);
    const next = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: items.length - 1 }[event.key];
    if (next !== undefined) items[(next + items.length) % items.length].focus();
    else if (event.key === "Enter" || event.key === " ") items[index]?.click();
    else if (event.key === "Escape" || event.key === "Tab") onClose();
    else return;
    event.preventDefault();
    event.stopPropagation(); // the notebook's own keys must not act on it
  });
  /** Puts the menu under its token, or above it where there is no room. */
  function place() {
    const box = anchor.getBoundingClientRect();
    const height = menu.offsetHeight;
    const below = box.bottom + GAP + height <= window.innerHeight;
    menu.style.top = `${below ? box.bottom + GAP : Math.max(0, box.top - GAP - height)}px`;
    menu.style.left = `${Math.max(0, Math.min(box.left, window.innerWidth - MENU_WIDTH - GAP))}px`;
  }
  /** Opens the menu above everything else, so that no box cuts it off. */
  function open() {
    menu.showPopover?.();
    place();
    items[0]?.focus({ preventScroll: true });
  }
  return { menu, open, place };
}

/** @param {Alternative} alternative */
function menuItem({ text, p, end, taken }) {
  const bar = el("span", { class: "ntg-bar" });
  bar.style.setProperty("--share", p.toFixed(4));
  const label = `${end ? "end here" : text}, ${formatPercent(p)}${taken ? ", current" : ""}`;
  return el(
    "div",
    { role: "menuitem", tabindex: -1, "aria-label": label, class: taken ? "ntg-current" : null },
    el("span", { class: "ntg-option", dir: "auto", text: end ? "■ end here" : text }),
    bar,
    el("span", { class: "ntg-score", text: formatPercent(p) }),
  );
}
