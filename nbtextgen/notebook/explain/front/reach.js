// Buttons beside generated texts: shown while their kernel is there, and answered below the texts.

/** The buttons of this kernel, which every page hides and leaves without a word. */
const look = (buttons) => `
  ${buttons} { display: inline-block !important; white-space: nowrap; }
  ${buttons}::before { content: "Explain"; }
  ${buttons}[aria-expanded="true"] { opacity: 1 !important; background: color-mix(in srgb, currentColor 18%, transparent) !important; }`;

function initialize({ model }) {
  const own = model.get("token");
  const start = `${own}.`;
  const sheet = el("style", { text: look(`button.ntg-explain[value^="${start}"]`) });
  const places = new Map(); // by number of a text: its button, and where its explanation stands

  /** Takes away what was explained below the same texts before. */
  function close(number) {
    const { button, place, panel } = places.get(number);
    place.remove();
    button.setAttribute("aria-expanded", "false");
    places.delete(number);
    if (panel) model.send({ close: panel });
  }
  function open(button, number) {
    const texts = button.closest("table");
    for (const [other, { place }] of places) if (place.previousElementSibling === texts) close(other);
    const place = el("div", { class: "ntg-why" }, el("span", { role: "status", text: "Explaining …" }));
    place.style.margin = "8px 0";
    places.set(number, { button, place, panel: null });
    texts.after(place);
    button.setAttribute("aria-expanded", "true");
    model.send({ explain: number });
  }
  const pressed = (event) => {
    const button = event.target.closest?.("button.ntg-explain");
    if (!button?.value.startsWith(start)) return;
    const number = Number(button.value.slice(start.length));
    if (places.get(number)?.place.isConnected) close(number);
    else open(button, number);
  };
  const answered = async ({ explain, panel, error }) => {
    const known = places.get(explain);
    if (!known) return panel && model.send({ close: panel });
    if (error) return known.place.replaceChildren(el("span", { role: "alert", text: visible(error) }));
    known.panel = panel;
    const child = await model.widget_manager.get_model(panel);
    const view = await model.widget_manager.create_view(child);
    known.place.replaceChildren(view.el);
  };
  /** When the kernel ends, the buttons go, and what was explained, too. */
  const lived = async () => {
    const alive = await model.widget_manager.get_model(own).then((one) => one.comm_live, () => false);
    sheet.disabled = !alive;
    if (!alive) for (const number of [...places.keys()]) close(number);
  };
  document.head.append(sheet);
  document.addEventListener("click", pressed);
  model.on("msg:custom", answered);
  model.on("comm_live_update", lived);
  return () => {
    sheet.remove();
    document.removeEventListener("click", pressed);
    model.off("msg:custom", answered);
    model.off("comm_live_update", lived);
    for (const number of [...places.keys()]) close(number);
  };
}

export default { initialize, render() {} };
