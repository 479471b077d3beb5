// Edits of the input, and the output that comes of them beside the old one.

/** A menu at a chip; `done(edit)` gets `{action, text}`, or null to leave the unit as it was. */
function editMenu(chip, word, edited, done, closed) {
  const replacement = el("input", { type: "text", class: "nte-input", "aria-label": `Replace ${word} by`, placeholder: "replace by" });
  const outside = (event) => {
    if (!menu.contains(event.target)) finish(undefined, false);
  };
  const finish = (edit, back = true) => {
    document.removeEventListener("pointerdown", outside, true);
    menu.remove();
    closed();
    if (edit !== undefined) done(edit);
    if (back) chip.focus();
  };
  const form = el("form", { class: "nte-replace" }, replacement, el("button", { type: "submit", class: "ntg-button", text: "Replace" }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    finish({ action: "replace", text: replacement.value });
  });
  const menu = el(
    "div",
    { class: "nte-menu", role: "dialog", "aria-label": `Change ${word}` },
    el("button", { type: "button", class: "ntg-button", text: "Mask", click: () => finish({ action: "mask" }) }),
    el("button", { type: "button", class: "ntg-button", text: "Delete", click: () => finish({ action: "delete" }) }),
    form,
    edited ? el("button", { type: "button", class: "ntg-button", text: "As it was", click: () => finish(null) }) : null
  );
  menu.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") finish(undefined);
  });
  // Not on losing the focus: after a click, JupyterLab takes the focus for the notebook.
  document.addEventListener("pointerdown", outside, true);
  return menu;
}

/** The two outputs, what went and what came marked by more than colour. */
function changeView(change, reset) {
  if (!change.before) return null;
  const pieces = (list) =>
    el(
      "bdi",
      { class: "nte-text" },
      ...list.map(([kind, text]) => el(kind === "gone" ? "del" : kind === "new" ? "ins" : "span", { text: visible(text) }))
    );
  return el(
    "section",
    { class: "nte-change", "aria-label": "Changed input" },
    el("div", { class: "nte-line" }, el("span", { class: "nte-tag", text: "changed" }), el("bdi", { class: "nte-text", text: visible(change.source) }), el("button", { type: "button", class: "ntg-button", text: "Reset", click: reset })),
    el("div", { class: "nte-line" }, el("span", { class: "nte-tag", text: "before" }), pieces(change.before)),
    el("div", { class: "nte-line" }, el("span", { class: "nte-tag", text: "after" }), pieces(change.after), change.same ? el("span", { class: "ntg-muted", text: "the same" }) : null)
  );
}
