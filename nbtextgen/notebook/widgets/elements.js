// Building blocks of every widget's page. Texts only ever become text nodes, never markup.

/**
 * The part of anywidget's model that the widgets use.
 *
 * @template State the traits that Python and the page share
 * @template Sent messages to Python
 * @template Received messages from Python
 * @typedef {object} WidgetModel
 * @property {<Name extends keyof State>(name: Name) => State[Name]} get
 * @property {<Name extends keyof State>(name: Name, value: State[Name]) => void} set
 * @property {() => void} save_changes
 * @property {(message: Sent) => void} send
 * @property {(event: string, listener: (message: Received) => void) => void} on
 * @property {(event: string, listener: (message: Received) => void) => void} off
 */

/** @typedef {Record<string, string | number | boolean | null | undefined | ((event: Event) => void)>} Attributes */

const SVG = "http://www.w3.org/2000/svg";
// As in core/escaping.py: C1 controls, direction marks, what shows as nothing, and half surrogates.
const INVISIBLE =
  /[\u0080-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e001f}]|\u034f/gu;

/**
 * Creates an HTML element. `text` becomes a text node, functions become event listeners, everything else an attribute;
 * attributes that are null, undefined or false are left out.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = String(value);
    else if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/**
 * Creates an SVG element.
 *
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {string} [text]
 * @returns {SVGElementTagNameMap[Tag]}
 */
function svg(tag, attributes = {}, text = "") {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  if (text) node.textContent = text;
  return node;
}

/**
 * Creates a button in the style that all widgets share.
 *
 * @param {string} text
 * @param {((event: Event) => void) | null} onClick
 * @param {Attributes} [attributes]
 */
function button(text, onClick, attributes = {}) {
  return el("button", {
    type: "button",
    class: "ntg-button",
    text,
    click: onClick,
    ...attributes,
  });
}

/**
 * What runs in the kernel: a bar, how far it is in words, and a button that cancels it. The nodes stay from one update to the
 * next, so that the button keeps the focus and a click is not lost; screen readers hear the beginning and the end only.
 */
class ProgressRow {
  /** @param {() => void} onCancel */
  constructor(onCancel) {
    this.bar = el("progress", { max: "1", hidden: true });
    this.text = el("span", { class: "ntg-muted", "aria-hidden": "true" });
    this.cancel = button("Cancel", () => this.stop(onCancel), { hidden: true });
    this.said = el("span", { class: "ntg-hidden", role: "status" });
    this.node = el("div", { class: "ntg-progress", tabindex: "-1" }, this.bar, this.text, this.cancel, this.said);
    this.stopping = false;
  }

  /** @param {() => void} onCancel */
  stop(onCancel) {
    if (this.stopping) return;
    this.stopping = true;
    this.draw({ busy: true });
    onCancel();
  }

  /** @param {{ busy?: boolean, text?: string, done?: number }} state `done` is a share; 0 where it is not known */
  draw({ busy = false, text = "", done = 0 }) {
    const began = busy && this.bar.hidden;
    this.stopping = busy && this.stopping;
    const shown = this.stopping ? "Stopping …" : visible(text);
    // A button that goes takes the focus along, and the next key would be one of the notebook's commands.
    if (document.activeElement === this.cancel && (!busy || this.stopping)) this.node.focus({ preventScroll: true });
    this.bar.hidden = this.cancel.hidden = !busy;
    this.cancel.disabled = this.stopping;
    this.bar.setAttribute("aria-label", shown);
    if (done > 0) this.bar.value = done;
    else this.bar.removeAttribute("value");
    setText(this.text, shown);
    if (began || this.stopping || !busy) setText(this.said, shown);
  }
}

/**
 * Sets a text unless it is already there, so that screen readers do not announce it twice.
 *
 * @param {Node} node
 * @param {string} text
 */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Shows control characters as pictures, and invisible and direction marks by their code point.
 *
 * @param {string} text
 */
function visible(text) {
  return (
    text
      // eslint-disable-next-line no-control-regex -- these are the characters to show
      .replace(/[\u0000-\u001f]/g, (character) => String.fromCharCode(0x2400 + character.charCodeAt(0)))
      .replace(/\u007f/g, "\u2421")
      .replace(INVISIBLE, (mark) => `⟨U+${(mark.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩`)
  );
}

/**
 * Keeps keys pressed in a widget from JupyterLab, which would take arrows and Enter for the notebook's own commands.
 *
 * @param {HTMLElement} root
 * @returns {() => void} removes the listener
 */
function keepKeys(root) {
  /** @param {KeyboardEvent} event */
  const keep = (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  };
  root.addEventListener("keydown", keep);
  return () => root.removeEventListener("keydown", keep);
}

/**
 * Adds listeners to a model.
 *
 * @template State, Sent, Received
 * @param {WidgetModel<State, Sent, Received>} model
 * @param {Record<string, (message: Received) => void>} listeners by event
 * @returns {() => void} removes them
 */
function listen(model, listeners) {
  for (const [event, listener] of Object.entries(listeners)) model.on(event, listener);
  return () => {
    for (const [event, listener] of Object.entries(listeners)) model.off(event, listener);
  };
}

/**
 * What stands in the place of a panel once its kernel has gone; the panel's static form comes after it.
 *
 * @returns {HTMLElement}
 */
function goneNote() {
  const text = "The kernel was restarted or has ended, and this panel with it: run its cell again to go on.";
  return el("div", { class: "ntg ntg-muted", role: "status", text });
}

/** An identifier that no other widget of the page has. */
function uniqueId() {
  return `ntg-${Math.random().toString(36).slice(2)}`;
}
