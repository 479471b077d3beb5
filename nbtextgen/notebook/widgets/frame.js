// A part of every panel of several widgets: hides the panel's static form, and keeps keys and the focus in the panel. Once the kernel
// has gone, nothing in the panel does anything; its static form takes its place.

/** @param {{ model: WidgetModel<{ rule: string }, never, never>, el: HTMLElement }} context */
function render({ model, el: root }) {
  root.classList.add("ntg-frame");
  root.replaceChildren(el("style", { text: model.get("rule") }));
  /** @type {(() => void) | null} */
  let releaseKeys = null;
  const keeper = new FocusKeeper(() => root.parentElement);
  const onGone = () => {
    root.parentElement?.classList.add("ntg-gone");
    root.style.display = "block"; // the widget's layout hides it
    root.replaceChildren(goneNote());
  };
  const release = listen(model, { comm_live_update: onGone });
  // Not before the panel is on the page.
  const attach = () => {
    if (root.parentElement) releaseKeys ??= keepKeys(root.parentElement);
  };
  document.addEventListener("focusin", attach);
  return () => {
    document.removeEventListener("focusin", attach);
    releaseKeys?.();
    release();
    keeper.end();
  };
}

export default { render };
