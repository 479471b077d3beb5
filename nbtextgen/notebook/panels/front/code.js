// Pieces of code, each with a button that copies it.

function render({ model, el: root }) {
  root.classList.add("ntg", "ntg-code");
  const release = keepKeys(root);
  const said = el("span", { class: "ntg-hidden", role: "status" });

  function show() {
    const parts = model.get("pieces").map(({ name, code }) => {
      const text = el("pre", { tabindex: 0, role: "group", "aria-label": name, text: code.split("\n").map(visible).join("\n") });
      const copy = button("Copy", null, { "aria-label": `Copy ${name}` });
      copy.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(code);
          copy.textContent = said.textContent = "Copied";
        } catch {
          getSelection().selectAllChildren(text); // no right to the clipboard: selected, ready for Ctrl-C
          copy.textContent = said.textContent = "Press Ctrl-C";
        }
        setTimeout(() => (copy.textContent = "Copy"), 1500);
      });
      return el("div", {}, el("div", { class: "ntg-name", text: name }), text, copy);
    });
    root.replaceChildren(...parts, said);
  }
  show();
  model.on("change:pieces", show);
  return () => {
    release();
    model.off("change:pieces", show);
  };
}

export default { render };
