// Pictures and pages to keep.

function download(name, blob) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** The matrix as a picture that stands alone: title, texts, dark on white. */
function picture(answer) {
  const cell = Math.max(16, Math.min(44, 1400 / (answer.inputs.length + 3)));
  const inner = matrixSvg(answer, cell);
  const width = Math.max(420, Number(inner.getAttribute("width")) + 24);
  const height = Number(inner.getAttribute("height")) + 74;
  const root = svg("svg", { xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}`, color: "#222", "font-family": "sans-serif" });
  root.append(svg("rect", { width, height, fill: "#fff" }));
  const head = answer.contrast === null ? answer.name : `${answer.name}, against ${visible(answer.contrast)}`;
  root.append(svg("text", { x: 12, y: 22, "font-size": 14, "font-weight": "bold", fill: "#222" }, `${head} (${answer.measure})`));
  root.append(svg("text", { x: 12, y: 42, "font-size": 12, fill: "#222" }, `in: ${visible(answer.source)}`));
  root.append(svg("text", { x: 12, y: 60, "font-size": 12, fill: "#222" }, `out: ${visible(answer.text)}`));
  inner.setAttribute("x", 12);
  inner.setAttribute("y", 68);
  root.append(inner);
  return root;
}

function svgBlob(answer) {
  return new Blob([new XMLSerializer().serializeToString(picture(answer))], { type: "image/svg+xml" });
}

async function pngBlob(answer) {
  const address = URL.createObjectURL(svgBlob(answer));
  try {
    const image = new Image();
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = () => reject(new Error("the picture could not be drawn"));
      image.src = address;
    });
    const canvas = el("canvas", { width: image.width * 2, height: image.height * 2 });
    const pen = canvas.getContext("2d");
    pen.scale(2, 2);
    pen.drawImage(image, 0, 0);
    return await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  } finally {
    URL.revokeObjectURL(address);
  }
}
