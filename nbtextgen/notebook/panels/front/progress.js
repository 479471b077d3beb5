// How far work in the kernel is, with a button that cancels it.

/** @typedef {{ state: { text?: string, done?: number } }} ProgressState traits of `Progress` in Python */

/** @param {{ model: WidgetModel<ProgressState, { kind: "cancel" }, never>, el: HTMLElement }} context */
function render({ model, el: root }) {
  root.classList.add("ntg", "ntg-bare");
  const releaseKeys = keepKeys(root);
  const row = new ProgressRow(() => model.send({ kind: "cancel" }));
  const show = () => {
    const state = model.get("state");
    row.draw({ ...state, busy: state.text !== undefined });
  };
  root.replaceChildren(row.node);
  show();
  const release = listen(model, { "change:state": show });
  return () => {
    releaseKeys();
    release();
  };
}

export default { render };
