// Edits of the input, and the output for the edited input beside the original one.

/** @typedef {{ action: "mask" | "delete" } | { action: "replace", text: string }} Edit */

/** @typedef {Record<number, Edit>} Edits by the index of the input unit */

/** @typedef {[kind: "same" | "gone" | "new", text: string][]} DiffPieces */

/**
 * The output for an edited input; empty before there is one.
 *
 * @typedef {object} Change
 * @property {string} [group] the question it belongs to
 * @property {string} [source] the edited input
 * @property {DiffPieces} [before]
 * @property {DiffPieces} [after]
 * @property {boolean} [same]
 */

/**
 * The smallest edits that were found; empty before a search.
 *
 * @typedef {object} MinimalEdits
 * @property {string} [group] the question it belongs to
 * @property {number | null} [token] the output token that was to change; null for the whole output
 * @property {string} [part] its text
 * @property {string[]} [sentences]
 * @property {string} [proof] which edits are certainly the smallest
 * @property {({ name: string } & Change)[]} [edits]
 */

/**
 * A menu of edits at a chip of the input.
 *
 * @param {HTMLElement} chip
 * @param {string} word
 * @param {boolean} edited whether the unit can be restored
 * @param {(edit: Edit | null) => void} onEdit null restores the unit
 * @param {() => void} onClose
 */
function editMenu(chip, word, edited, onEdit, onClose) {
  const label = `Replace ${word} by`;
  const replacement = el("input", { type: "text", class: "nte-input", "aria-label": label, placeholder: "replace by" });
  /** @param {boolean} refocus */
  const close = (refocus) => {
    document.removeEventListener("pointerdown", onPointerDown, true);
    menu.remove();
    onClose();
    if (refocus) chip.focus();
  };
  /** @param {Edit | null} edit */
  const finish = (edit) => {
    close(false);
    onEdit(edit);
    chip.focus();
  };
  /** @param {PointerEvent} event */
  const onPointerDown = (event) => {
    if (event.target instanceof Node && !menu.contains(event.target)) close(false);
  };
  const form = el(
    "form",
    { class: "nte-replace" },
    replacement,
    el("button", { type: "submit", class: "ntg-button", text: "Replace" }),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    finish({ action: "replace", text: replacement.value });
  });
  const menu = el(
    "div",
    { class: "nte-menu", role: "dialog", "aria-label": `Change ${word}` },
    button("Mask", () => finish({ action: "mask" })),
    button("Delete", () => finish({ action: "delete" })),
    form,
    edited ? button("Restore", () => finish(null)) : null,
  );
  menu.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") close(true);
  });
  // Not when the focus is lost: after a click, JupyterLab takes the focus for the notebook.
  document.addEventListener("pointerdown", onPointerDown, true);
  return menu;
}

/**
 * The two outputs; deleted and inserted pieces are marked by more than colour.
 *
 * @param {Change} change
 * @param {() => void} onReset
 */
function changeView({ source = "", before, after, same }, onReset) {
  if (!before || !after) return null;
  return el(
    "section",
    { class: "nte-change", "aria-label": "Changed input" },
    line("changed", el("bdi", { class: "nte-text", text: visible(source) }), button("Reset", onReset)),
    line("before", diffText(before)),
    line("after", diffText(after), same ? el("span", { class: "ntg-muted", text: "the same" }) : null),
  );
}

/** @param {DiffPieces} pieces */
function diffText(pieces) {
  const parts = pieces.map(([kind, text]) => {
    const tag = kind === "gone" ? "del" : kind === "new" ? "ins" : "span";
    return el(tag, { text: visible(text) });
  });
  return el("bdi", { class: "nte-text" }, ...parts);
}

/**
 * The smallest edits: sentences, and each changed input with its output.
 *
 * @param {MinimalEdits} minimal
 * @param {() => void} onClose
 */
function minimalView({ sentences, proof = "", edits = [] }, onClose) {
  if (!sentences) return null;
  return el(
    "section",
    { class: "nte-change nte-found", "aria-label": "Smallest changes" },
    el(
      "div",
      { class: "nte-line" },
      el("div", { class: "nte-sentences" }, ...sentences.map((text) => el("div", { text: visible(text) }))),
      closeButton("Close the smallest changes", onClose),
    ),
    ...edits.map(({ name, source = "", after = [] }) =>
      line(name, el("bdi", { class: "nte-text", text: visible(source) }), el("span", { text: "→" }), diffText(after)),
    ),
    el("p", { class: "ntg-muted", text: proof }),
  );
}

/**
 * @param {string} label
 * @param {() => void} onClose
 */
function closeButton(label, onClose) {
  const attributes = { type: "button", class: "nte-close", "aria-label": label, title: label };
  return el("button", { ...attributes, text: "×", click: onClose });
}

/**
 * Puts a menu into the top layer under an element, where no box cuts it; above it where there is no room below. It follows the
 * element when the page scrolls.
 *
 * @param {HTMLElement} menu in the page already
 * @param {HTMLElement} anchor
 */
function floatMenu(menu, anchor) {
  menu.popover = "manual";
  menu.showPopover?.();
  const place = () => {
    if (!menu.isConnected) {
      document.removeEventListener("scroll", place, true);
      return;
    }
    const [box, size] = [anchor.getBoundingClientRect(), menu.getBoundingClientRect()];
    const below = box.bottom + 4 + size.height <= window.innerHeight;
    menu.style.top = `${below ? box.bottom + 4 : Math.max(4, box.top - 4 - size.height)}px`;
    menu.style.left = `${Math.max(4, Math.min(box.left, window.innerWidth - size.width - 4))}px`;
  };
  place();
  document.addEventListener("scroll", place, true);
}

/**
 * A line of the panel with its name in front.
 *
 * @param {string} name
 * @param {...(Node | null)} parts
 */
function line(name, ...parts) {
  return el("div", { class: "nte-line" }, el("span", { class: "nte-tag", text: name }), ...parts);
}
