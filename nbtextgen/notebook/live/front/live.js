// The live training panel: draws what the kernel tells, and tells the kernel what the user does.

const MOST = 1200; // points kept of a curve; beyond that every second one is dropped
const DEAF = 2500; // milliseconds without an answer after which the kernel is taken not to listen
const NOT_HEARD =
  "The kernel hears nothing from this panel while the cell runs. The notebook's interrupt button (\u25A0) does what Stop does: " +
  "it ends the training and keeps the best model.";

function empty() {
  return { name: "", about: {}, now: {}, train: [], rate: [], valid: [], best: null, samples: [], warnings: [], controls: {}, error: "" };
}

function thinned(points) {
  return points.length <= MOST ? points : points.filter((_, at) => at % 2 === points.length % 2);
}

/** What is known so far, with a message's news. */
function withNews(data, { controls, now = {}, add = {} }) {
  const found = { ...data, controls: controls ?? data.controls, now: { ...data.now, ...now } };
  for (const name of ["train", "rate", "valid"]) if (add[name]) found[name] = thinned([...data[name], ...add[name]]);
  for (const name of ["best", "samples", "warnings"]) if (add[name]) found[name] = add[name];
  return found;
}

function render({ model, el: root }) {
  const view = build(root);
  const release = keepKeys(view.root);
  let data = empty();
  let planned = 0;
  let hovered = null;
  let heardAt = 0;
  let askedAt = 0;

  const draw = () => {
    if (planned) return;
    planned = requestAnimationFrame(() => {
      planned = 0;
      show(view, data);
      plot(view, data, hovered);
      showDeaf();
    });
  };
  const showDeaf = () => {
    const waiting = askedAt > heardAt && performance.now() - askedAt > DEAF && !data.now.ended;
    say(view.deaf, waiting ? NOT_HEARD : "");
  };
  const tell = (what, value) => {
    if (askedAt <= heardAt) askedAt = performance.now(); // the oldest call that was not answered
    model.send({ do: what, value });
    setTimeout(showDeaf, DEAF + 50);
  };
  const load = () => {
    const state = model.get("state");
    if (!state || !state.now) return;
    data = { ...empty(), ...state };
    draw();
  };
  const onMessage = (message) => {
    if (message.heard) heardAt = performance.now();
    data = withNews(data, message);
    if (message.add?.valid) announce(view, data);
    draw();
  };

  view.stop.addEventListener("click", () => tell("stop"));
  view.pause.addEventListener("click", () => tell(data.controls.paused ? "resume" : "pause"));
  for (const slider of Object.values(view.sliders)) slider.listen(tell);
  readValues(view, (x) => {
    hovered = typeof x === "function" ? x(hovered) : x;
    draw();
  });
  model.on("msg:custom", onMessage);
  model.on("change:state", load);
  // As it is at the end of a frame: asked in the midst of one, a page whose theme is changing may say anything.
  const size = new ResizeObserver(([{ contentRect }]) => {
    view.width = Math.max(NARROWEST, Math.round(contentRect.width));
    draw();
  });
  size.observe(view.chart);
  load();
  const ask = () => !data.now.ended && heardAt <= askedAt && tell("hello");
  ask();
  const asking = setInterval(ask, DEAF);
  return () => {
    release();
    clearInterval(asking);
    model.off("msg:custom", onMessage);
    model.off("change:state", load);
    size.disconnect();
    cancelAnimationFrame(planned);
  };
}

export default { render };
