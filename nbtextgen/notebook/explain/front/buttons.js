// The Explain buttons beside generated texts: visible while their kernel lives; an explanation opens below the texts.

/** @typedef {{ token: string }} ButtonsState `token`: what the values of this kernel's buttons begin with */

/** @typedef {{ explain: number } | { close: string }} ButtonsRequest a text by its number, an open panel by its id */

/** @typedef {{ explain: number, panel?: string, error?: string }} ButtonsAnswer */

/**
 * @typedef {WidgetModel<ButtonsState, ButtonsRequest, ButtonsAnswer> & { widget_manager: WidgetManager }} ButtonsModel
 */

/** @typedef {{ comm_live: boolean }} LiveModel */

/**
 * @typedef {object} WidgetManager
 * @property {(id: string) => Promise<LiveModel>} get_model
 * @property {(model: LiveModel) => Promise<{ el: HTMLElement }>} create_view
 */

/** @typedef {{ button: HTMLButtonElement, place: HTMLElement, panel: string | null }} OpenExplanation */

/**
 * Shows some buttons, which every page hides and leaves without text.
 *
 * @param {string} buttons a CSS selector
 */
function buttonStyle(buttons) {
  return `
  ${buttons} { display: inline-block !important; white-space: nowrap; }
  ${buttons}::before { content: "Explain"; }
  ${buttons}[aria-expanded="true"] { opacity: 1 !important; background: color-mix(in srgb, currentColor 18%, transparent) !important; }`;
}

/** @param {{ model: ButtonsModel }} context */
function initialize({ model }) {
  const token = model.get("token");
  const prefix = `${token}.`;
  const sheet = el("style", { text: buttonStyle(`button.ntg-explain[value^="${prefix}"]`) });
  /** @type {Map<number, OpenExplanation>} */
  const opened = new Map(); // by the number of the text

  /** @param {number} number */
  function close(number) {
    const explanation = opened.get(number);
    if (!explanation) return;
    explanation.place.remove();
    explanation.button.setAttribute("aria-expanded", "false");
    opened.delete(number);
    if (explanation.panel) model.send({ close: explanation.panel });
  }
  function closeAll() {
    for (const number of [...opened.keys()]) close(number);
  }
  /**
   * Opens an explanation in the place of the one that is open below the same texts.
   *
   * @param {HTMLButtonElement} pressed
   * @param {number} number
   */
  function open(pressed, number) {
    const texts = pressed.closest("table");
    for (const [other, { place }] of opened) if (place.previousElementSibling === texts) close(other);
    const place = el("div", { class: "ntg-explanation" }, el("span", { role: "status", text: "Explaining …" }));
    place.style.margin = "8px 0";
    place.addEventListener("ntg-close", (event) => {
      event.preventDefault();
      close(number);
      pressed.focus();
    });
    opened.set(number, { button: pressed, place, panel: null });
    texts?.after(place);
    pressed.setAttribute("aria-expanded", "true");
    model.send({ explain: number });
  }
  /** @param {MouseEvent} event */
  const onClick = (event) => {
    const target = event.target instanceof Element ? event.target : null;
    const pressed = /** @type {HTMLButtonElement | null | undefined} */ (target?.closest("button.ntg-explain"));
    if (!pressed?.value.startsWith(prefix)) return;
    const number = Number(pressed.value.slice(prefix.length));
    if (opened.get(number)?.place.isConnected) close(number);
    else open(pressed, number);
  };
  /** @param {ButtonsAnswer} answer */
  const onAnswer = async ({ explain, panel, error }) => {
    const explanation = opened.get(explain);
    if (!explanation) {
      if (panel) model.send({ close: panel });
    } else if (panel) {
      explanation.panel = panel;
      const view = await model.widget_manager.create_view(await model.widget_manager.get_model(panel));
      explanation.place.replaceChildren(view.el);
      explanation.place.scrollIntoView?.({ block: "nearest" });
    } else explanation.place.replaceChildren(el("span", { role: "alert", text: visible(error ?? "") }));
  };
  /** When the kernel ends, its buttons and explanations go. */
  const onLife = async () => {
    const alive = await model.widget_manager.get_model(token).then(
      ({ comm_live }) => comm_live,
      () => false,
    );
    sheet.disabled = !alive;
    if (!alive) closeAll();
  };
  document.head.append(sheet);
  document.addEventListener("click", onClick);
  const release = listen(model, { "msg:custom": onAnswer, comm_live_update: onLife });
  return () => {
    release();
    sheet.remove();
    document.removeEventListener("click", onClick);
    closeAll();
  };
}

export default { initialize, render() {} };
