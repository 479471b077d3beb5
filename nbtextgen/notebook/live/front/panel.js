// The live training panel: shows the messages of the kernel and sends what the user does.

/** @typedef {{ state: TrainingState }} LiveState */

/** @typedef {{ action: "stop" | "pause" | "resume" | "ping" | "undo" } | { action: SliderName, value: number }} Action */

/**
 * News of a training. `add` holds new points of the curves, and the whole of what is not a curve.
 *
 * @typedef {object} News
 * @property {string} [acknowledged] the action that the kernel has carried out
 * @property {Controls} [controls]
 * @property {Figures} [now]
 * @property {Partial<Pick<TrainingState, "train" | "rate" | "valid" | "task" | "changes" | "best" | "samples" | "warnings">>} [add]
 */

const TIMEOUT = 2500; // milliseconds without an answer after which the kernel is taken not to read messages
const GONE = "The kernel was restarted or has ended: this is how far the training was when it was last heard of.";
const UNREAD =
  "The kernel does not read messages from this panel while the cell runs. The notebook's interrupt button (\u25A0) does " +
  "what Stop does: it ends the training and keeps the best model.";

/** @returns {TrainingState} */
function emptyState() {
  const curves = { train: [], rate: [], valid: [], task: [], changes: [], best: null };
  return {
    name: "",
    about: {},
    now: {},
    ...curves,
    samples: [],
    warnings: [],
    controls: {},
    error: "",
  };
}

/**
 * The state with the news of a message.
 *
 * @param {TrainingState} state
 * @param {News} news
 * @returns {TrainingState}
 */
function withNews(state, { controls = state.controls, now = {}, add = {} }) {
  const { train = [], rate = [], valid = [], ...replaced } = add;
  return {
    ...state,
    ...replaced,
    controls,
    now: { ...state.now, ...now },
    train: thin([...state.train, ...train]),
    rate: thin([...state.rate, ...rate]),
    valid: thin([...state.valid, ...valid]),
  };
}

/**
 * Sends actions, and notes whether the kernel answers.
 *
 * @param {WidgetModel<LiveState, Action, News>} model
 * @param {() => void} onTimeout called when an answer is overdue
 */
function sender(model, onTimeout) {
  let answeredAt = 0;
  let sentAt = 0; // when the oldest action was sent that has no answer
  return {
    /** @param {Action} action */
    send(action) {
      if (sentAt <= answeredAt) sentAt = performance.now();
      model.send(action);
      setTimeout(onTimeout, TIMEOUT + 50);
    },
    answered() {
      answeredAt = performance.now();
    },
    /** Whether the kernel has not answered yet. */
    waiting: () => answeredAt <= sentAt,
    overdue: () => sentAt > answeredAt && performance.now() - sentAt > TIMEOUT,
  };
}

/** @param {{ model: WidgetModel<LiveState, Action, News>, el: HTMLElement }} context */
function render({ model, el: root }) {
  let state = emptyState();
  const view = buildView(root, () => state);
  const releaseKeys = keepKeys(view.root);
  const keeper = new FocusKeeper(() => view.root);
  let frame = 0;
  /** @type {number | null} */
  let pointer = null;

  const draw = () => {
    if (frame) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      showState(view, state);
      drawChart(view, state, pointer);
      showNotice();
    });
  };
  let gone = false;
  const showNotice = () => {
    setText(view.notice, gone ? GONE : actions.overdue() && !state.now.ended ? UNREAD : "");
    if (!gone) return;
    setText(view.state, "kernel ended");
    view.pause.hidden = view.stop.hidden = view.sliderBox.hidden = view.changeBox.hidden = true;
  };
  const actions = sender(model, showNotice);
  const load = () => {
    const current = model.get("state");
    if (!current?.now) return;
    state = { ...emptyState(), ...current };
    draw();
  };
  /** @param {News} news */
  const onNews = (news) => {
    if (news.acknowledged) actions.answered();
    state = withNews(state, news);
    if (news.add?.valid) {
      setText(view.announcement, `Epoch ${state.now.epoch}: validation loss ${formatFixed(state.now.valid, 3)}`);
    }
    draw();
  };

  view.stop.addEventListener("click", () => actions.send({ action: "stop" }));
  view.pause.addEventListener("click", () => actions.send({ action: state.controls.paused ? "resume" : "pause" }));
  view.undo.addEventListener("click", () => {
    for (const slider of view.sliders) slider.release();
    actions.send({ action: "undo" });
  });
  for (const slider of view.sliders) slider.listen((action, value) => actions.send({ action, value }));
  readValues(view, (move) => {
    pointer = move(pointer);
    draw();
  });
  const onGone = () => {
    gone = !state.now.ended;
    clearInterval(pinging);
    draw();
  };
  const release = listen(model, { "msg:custom": onNews, "change:state": load, comm_live_update: onGone });
  // The width at the end of a frame: measured in the middle of one, while the theme changes, it may be anything.
  const size = new ResizeObserver(([{ contentRect }]) => {
    view.size.width = Math.max(MIN_WIDTH, Math.round(contentRect.width));
    draw();
  });
  size.observe(view.chart);
  load();
  const ping = () => {
    if (!state.now.ended && actions.waiting()) actions.send({ action: "ping" });
  };
  ping();
  const pinging = setInterval(ping, TIMEOUT);
  return () => {
    releaseKeys();
    keeper.end();
    release();
    clearInterval(pinging);
    size.disconnect();
    cancelAnimationFrame(frame);
  };
}

export default { render };
