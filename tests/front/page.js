// A page for the tests: jsdom's document, a model without a kernel, and the joined page of a widget with all its names.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, afterEach } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { JSDOM } from "jsdom";

const JOINED = path.join(path.dirname(fileURLToPath(import.meta.url)), "joined");
const { window } = new JSDOM("<!DOCTYPE html><body></body>", { pretendToBeVisual: true });

/** Widths are reported once, as soon as an element is observed; jsdom lays nothing out. */
class ResizeObserver {
  constructor(callback) {
    this.callback = callback;
  }
  observe() {
    this.callback([{ contentRect: { width: 640 } }]);
  }
  disconnect() {}
}

const names = [
  "document",
  "Node",
  "Text",
  "Element",
  "HTMLElement",
  "SVGElement",
  "XMLSerializer",
  "getComputedStyle",
  "MutationObserver",
];
for (const name of [...names, "requestAnimationFrame", "cancelAnimationFrame", "getSelection"]) {
  globalThis[name] =
    typeof window[name] === "function" && !window[name].prototype ? window[name].bind(window) : window[name];
}
Object.assign(globalThis, { window, ResizeObserver });

/** Everything that the joined page of a widget defines, by name; `default` is the widget. */
export async function load(widget) {
  const text = readFileSync(path.join(JOINED, `${widget}.js`), "utf8");
  const defined = [...text.matchAll(/^(?:async )?(?:function|class|const) (\w+)/gm)].map((match) => match[1]);
  const file = path.join(JOINED, `${widget}.mjs`);
  writeFileSync(file, `${text}\nexport { ${defined.join(", ")} };\n`);
  return import(pathToFileURL(file).href);
}

/** A model as anywidget gives it to `render`, with the messages that were sent. */
export function fakeModel(state) {
  const listeners = new Map();
  const emit = (event, message) => [...(listeners.get(event) ?? [])].forEach((listener) => listener(message));
  return {
    state,
    sent: [],
    emit,
    get: (name) => state[name],
    set(name, value) {
      state[name] = value;
      emit(`change:${name}`);
    },
    save_changes() {},
    send(message) {
      this.sent.push(message);
    },
    on: (event, listener) => listeners.set(event, [...(listeners.get(event) ?? []), listener]),
    off: (event, listener) =>
      listeners.set(
        event,
        (listeners.get(event) ?? []).filter((each) => each !== listener),
      ),
    listening: () => [...listeners.values()].flat().length,
  };
}

const shown = [];
afterEach(() => shown.splice(0).forEach((release) => release()));
after(() => window.close());

/** Renders a widget in the page until the end of the test; gives its root, and what removes it. */
export function show(widget, model) {
  const root = document.createElement("div");
  document.body.replaceChildren(root);
  const release = widget.render({ model, el: root });
  shown.push(release);
  return { root, release };
}

/** Presses a key in an element; gives the event. */
export function press(node, key) {
  const event = new window.KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
  node.dispatchEvent(event);
  return event;
}

/** Sets a control as a user does. */
export function enter(control, value, event = "change") {
  if (typeof value === "boolean") control.checked = value;
  else control.value = String(value);
  control.dispatchEvent(new window.Event(event, { bubbles: true }));
}

/** The next frame has been drawn. */
export const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)));

/** The element that an ARIA label names. */
export const labelled = (root, label) =>
  [...root.querySelectorAll("[aria-label]")].find((node) => node.getAttribute("aria-label") === label) ?? null;

/** The files that a page saves, in order; they are caught instead of downloaded. */
export function savedFiles() {
  const files = [];
  window.URL.createObjectURL = (blob) => {
    files.push({ blob });
    return "blob:test";
  };
  window.URL.revokeObjectURL = () => {};
  window.HTMLAnchorElement.prototype.click = function () {
    files.at(-1).name = this.download;
  };
  return files;
}
