// A part of every panel of several widgets: hides the panel's static form, and keeps keys and the focus in the panel.

/** @param {{ model: WidgetModel<{ rule: string }, never, never>, el: HTMLElement }} context */
function render({ model, el: root }) {
  root.classList.add("ntg-frame");
  root.replaceChildren(el("style", { text: model.get("rule") }));
  let releaseKeys = () => {};
  const keeper = new FocusKeeper(() => root.parentElement);
  const attached = requestAnimationFrame(() => {
    if (root.parentElement) releaseKeys = keepKeys(root.parentElement);
  });
  return () => {
    cancelAnimationFrame(attached);
    releaseKeys();
    keeper.end();
  };
}

export default { render };
