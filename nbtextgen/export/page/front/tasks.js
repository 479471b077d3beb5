// Long computations in short slices, so that the page stays responsive; a new one takes the place of the one before.

/** Milliseconds of computing between two looks at the page. */
const SLICE = 12;

/** Runs one task at a time. */
class TaskRunner {
  constructor() {
    this.number = 0;
    this.channel = new MessageChannel();
    /** @type {() => void} */
    this.next = () => {};
    this.waiting = false;
    this.channel.port1.onmessage = () => {
      this.waiting = false;
      this.next();
    };
  }

  /** Asks for the next slice; once, also where a task begins while that of another waits. */
  ask() {
    if (this.waiting) return;
    this.waiting = true;
    this.channel.port2.postMessage(null);
  }

  /**
   * Starts a task and forgets the one before.
   *
   * @template Progress, Result
   * @param {() => Generator<Progress, Result, void>} begin called at once, inside the slices
   * @param {object} callbacks
   * @param {(progress: Progress) => void} callbacks.progress called after every slice
   * @param {(result: Result) => void} callbacks.done
   * @param {(error: Error) => void} callbacks.failed
   */
  start(begin, { progress, done, failed }) {
    const number = ++this.number;
    /** @type {Generator<Progress, Result, void> | null} */
    let task = null;
    const slice = () => {
      if (number !== this.number) return;
      const end = performance.now() + SLICE;
      try {
        task ??= begin();
        let step = task.next();
        while (!step.done && performance.now() < end) step = task.next();
        if (step.done) done(step.value);
        else {
          progress(step.value);
          this.ask();
        }
      } catch (error) {
        failed(error instanceof Error ? error : new Error(String(error)));
      }
    };
    this.next = slice;
    this.ask();
  }

  /** Forgets the task that runs. */
  cancel() {
    this.number++;
  }
}
