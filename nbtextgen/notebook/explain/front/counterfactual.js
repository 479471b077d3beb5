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
  /** @param {DiffPieces} pieces */
  const diff = (pieces) =>
    el(
      "bdi",
      { class: "nte-text" },
      ...pieces.map(([kind, text]) => {
        const tag = kind === "gone" ? "del" : kind === "new" ? "ins" : "span";
        return el(tag, { text: visible(text) });
      }),
    );
  return el(
    "section",
    { class: "nte-change", "aria-label": "Changed input" },
    line("changed", el("bdi", { class: "nte-text", text: visible(source) }), button("Reset", onReset)),
    line("before", diff(before)),
    line("after", diff(after), same ? el("span", { class: "ntg-muted", text: "the same" }) : null),
  );
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
