// Pieces of code, each with a button that copies it.

/** @typedef {{ pieces: { name: string, code: string }[] }} CodeState traits of `CodeView` in Python */

const CONFIRMATION = 1500; // milliseconds that a button says "Copied"

/**
 * Code in which no line breaks within an option, as browsers do between its hyphens.
 *
 * @param {string} code
 */
function codeParts(code) {
  return code
    .split(/((?<!\S)--[a-z-]+)/)
    .map((part, index) => (index % 2 ? el("span", { class: "ntg-whole", text: part }) : part));
}

/** @param {{ model: WidgetModel<CodeState, never, never>, el: HTMLElement }} context */
function render({ model, el: root }) {
  root.classList.add("ntg", "ntg-code");
  const releaseKeys = keepKeys(root);
  const status = el("span", { class: "ntg-hidden", role: "status" });

  /**
   * @param {string} code
   * @param {HTMLElement} text
   */
  async function copyCode(code, text) {
    try {
      await navigator.clipboard.writeText(code);
      return "Copied";
    } catch {
      getSelection()?.selectAllChildren(text); // the page may not write to the clipboard
      return "Press Ctrl-C";
    }
  }
  /** @param {{ name: string, code: string }} piece */
  function pieceView({ name, code }) {
    const shown = code.split("\n").map(visible).join("\n");
    const text = el("pre", { tabindex: 0, role: "group", "aria-label": name }, ...codeParts(shown));
    const copy = button("Copy", null, { "aria-label": `Copy ${name}` });
    copy.addEventListener("click", async () => {
      copy.textContent = status.textContent = await copyCode(code, text);
      setTimeout(() => {
        copy.textContent = "Copy";
      }, CONFIRMATION);
    });
    return el("div", {}, el("div", { class: "ntg-name", text: name }), text, copy);
  }
  const show = () => root.replaceChildren(...model.get("pieces").map(pieceView), status);
  show();
  const release = listen(model, { "change:pieces": show });
  return () => {
    releaseKeys();
    release();
  };
}

export default { render };
