"""``textgen_train``: train a model and put it into a variable of the notebook."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from IPython.core.magic import line_cell_magic, magics_class
from IPython.display import display

from nbtextgen.core.errors import NbTextGenError, OptionError
from nbtextgen.core.options import build, options_of
from nbtextgen.notebook import live_page
from nbtextgen.notebook.arguments import (
    COLUMNS,
    COMMON,
    LIVE,
    START,
    bits_of_live,
    by_name,
    choice_option,
    columns_in,
    flag_option,
    text_option,
)
from nbtextgen.notebook.code import Values, call, keywords, print_code
from nbtextgen.notebook.completion import Options
from nbtextgen.notebook.lines import ParsedLine, Syntax, parse_line
from nbtextgen.notebook.magics.base import Commands, awaitable, command
from nbtextgen.notebook.variables import names_file
from nbtextgen.pipeline.settings import CONFIGS, fit_options
from nbtextgen.run.config import LaunchConfig

if TYPE_CHECKING:
    from nbtextgen.export.page.live_page import LivePage
    from nbtextgen.generator import TextGenerator
    from nbtextgen.notebook.live.training import Training
    from nbtextgen.notebook.session import Session

SECTIONS = {title: options_of(config) for title, config in CONFIGS.items()}
LAUNCH = options_of(LaunchConfig)
FIT = fit_options()
OWN = (
    by_name(
        text_option("data", "a variable or expression of the notebook, a file, or builtin:NAME"),
        *COLUMNS,
        text_option("valid", "validation pairs, as --data"),
        text_option("text", "text to learn to continue, instead of pairs: a file, a pattern, a variable"),
        text_option("config", "TOML or JSON file of settings; options on the line take precedence"),
        text_option("save", "folder to save the model to"),
        text_option(
            "run", "keep the training in a folder, to resume or compare it later: a name (runs/NAME-TIME) or a path"
        ),
        text_option("resume", "folder of a stopped or interrupted run to continue; takes no data and no settings"),
        *START.values(),
        text_option(
            "replay_data", "with --start: the old pairs, as --data; default: those that the model was trained on"
        ),
        flag_option("background", "return at once and train in the background"),
        LIVE["live"],
        LIVE["bits"],
        choice_option("progress", "auto", ("auto", "panel", "text", "none"), "how to show progress"),
        flag_option("quiet", "show no progress"),
    )
    | COMMON
)
STARTING = ("start", "replay_data")
"""What names the model to go on from and the pairs to replay."""
TRAIN = OWN | LAUNCH | FIT
FIRST = ("data", "source", "target", "valid", "tokens", "epochs", "max_minutes", "hidden_size", "background", "run")
"""The options that matter first."""


def _others(options: Options) -> Options:
    return {name: option for name, option in options.items() if name not in FIRST}


HELP = {
    "The ten that matter first": {name: TRAIN[name] for name in FIRST},
    "Data and run": _others(OWN),
    "Several processes": LAUNCH,
    **{title: _others(options) for title, options in SECTIONS.items()},
}


@dataclass(frozen=True)
class Request:
    """A parsed line of ``textgen_train``: the variable, the generator's settings, and the magic's own options."""

    name: str
    settings: Values
    own: Values
    cell: str | None

    @property
    def progress(self) -> str:
        """How to show progress: ``auto``, ``panel``, ``text`` or ``none``."""
        return "none" if self.own.get("quiet") else self.own.get("progress", "auto")

    @property
    def launch(self) -> dict[str, LaunchConfig]:
        """Where to train, as a keyword of ``fit`` and ``resume``; empty to train in this kernel."""
        options = {name: self.own[name] for name in LAUNCH if name in self.own}
        return {"launch": build(LaunchConfig, options)} if options else {}

    @property
    def fit_options(self) -> Values:
        """Column names, encoding, run folder and processes, as keywords of ``fit``."""
        return (
            columns_in(self.own)
            | {name: self.own[name] for name in ("run", "replay") if name in self.own}
            | self.launch
        )

    def _start_code(self, session: Session) -> list[str]:
        """Return the keywords for the model to go on from, as code."""
        return [f"{name}={session.data_as_code(self.own[name])}" for name in STARTING if name in self.own]

    def code(self, session: Session) -> list[str]:
        """Return the Python that does the same."""
        own, generator = self.own, f"TextGenerator({keywords(self.settings)})"
        if "resume" in own:
            trained = call("TextGenerator.resume", repr(own["resume"]), self.launch)
        elif "text" in own:
            text = repr(own["text"]) if _is_path(own["text"], session) else session.data_as_code(own["text"])
            trained = call(f"{generator}.fit_text", ", ".join([text, *self._start_code(session)]), self.fit_options)
        else:
            data = session.pairs_in_cell(self.cell)[1] if self.cell is not None else session.data_as_code(own["data"])
            valid = [f"valid={session.data_as_code(own['valid'])}"] if "valid" in own else []
            trained = call(f"{generator}.fit", ", ".join([data, *valid, *self._start_code(session)]), self.fit_options)
        names = [*(["LaunchConfig"] if self.launch else []), *(["Pairs"] if self.cell is not None else [])]
        saved = [f"{self.name}.save({own['save']!r})"] if "save" in own else []
        imports = [f"from nbtextgen import {', '.join([*names, 'TextGenerator'])}"]
        live, bits = list[str](), bits_of_live(own)
        if bits is not None:
            imports.append("from nbtextgen.notebook import live_page")
            live.append(call("live_page", self.name, {"name": self.name, "bits": bits}))
        return [*imports, f"{self.name} = {trained}", *saved, *live]


@magics_class
class TrainCommands(Commands):
    """Training."""

    @line_cell_magic
    @command(TRAIN, "new", sections=HELP)
    def textgen_train(self, parsed: ParsedLine) -> object:
        """Train a text generator and put it into a variable.

            %%textgen_train NAME [options]        pairs in the cell, one per line: source, a tab or ' => ', target
            %textgen_train NAME --data DATA       DATA: a variable, a file, builtin:dates
            %textgen_train NAME --text FILE       learn to continue a text (then: %textgen_continue NAME)

        Example:

            %textgen_train french --data df --source en --target fr --epochs 12

        Settings that are not given are chosen from the data. A panel under the cell shows the progress, and lets you stop, pause
        and adjust the training. The notebook's interrupt button does the same as Stop: both keep the best model so far. With
        --background you can go on working, and the variable generates with the best model from the first validation on.
        """
        request = self._request(parsed)
        if not parsed.awaited or request.own.get("show_code") or request.own.get("background"):
            model = self._train(request)
            return awaitable(None if parsed.quiet else model) if parsed.awaited else model
        return self._await_training(request, self._training(request), parsed.quiet)

    def _train(self, request: Request) -> TextGenerator | None:
        """Train in this thread; with ``--background``, start training and return."""
        if request.own.get("show_code"):
            return print_code(*request.code(self.session))
        training = self._training(request)
        if request.own.get("background"):
            training.at_end = partial(self._finish, request)
            if training.model is not None:
                self.session.variables[request.name] = training.model
            training.start()
            return training.model
        model = self._keep(training.run(), request)
        self._offer_next(request)
        return model

    async def _await_training(self, request: Request, training: Training, quiet: bool) -> TextGenerator | None:
        """Train in the background while the kernel handles the panel's messages."""
        training.start()
        model = self._keep(await training.ended(getattr(self.shell, "kernel", None)), request)
        self._offer_next(request)
        return None if quiet else model

    def _offer_next(self, request: Request) -> None:
        """Show a bar of what usually comes next, under the panel of a training that has ended."""
        bar = self.session.rich and request.progress in ("auto", "panel") and "text" not in request.own
        page = self._live_page(request, still=not bar)
        if bar:
            from nbtextgen.notebook.panels.result import ResultBar

            display(ResultBar(self.session, request.name, page))
        elif page is not None:
            display(page)

    def _live_page(self, request: Request, *, still: bool) -> LivePage | None:
        """Return what generates in the saved notebook, with ``--live``; a model that is too large for it is kept all the same."""
        bits = bits_of_live(request.own)
        if bits is None:
            return None
        try:
            return live_page(self.session.model([request.name]), name=request.name, bits=bits, still=still)
        except NbTextGenError as error:
            print(error.in_magic)
            return None

    def _finish(self, request: Request, model: TextGenerator) -> None:
        """Keep the model of a background training that has ended; a resumed run has none before."""
        if "resume" in request.own or "save" in request.own:
            self._keep(model, request)

    def prepare(self, line: str) -> Training:
        """Return the training for a line, not started, with its variable filled; for the panels."""
        request = self._request(parse_line(line, Syntax(TRAIN, words=1), self.session.scope))
        training = self._training(request)
        self.session.variables[request.name] = training.model
        return training

    def _keep(self, model: TextGenerator, request: Request) -> TextGenerator:
        """Put the trained model into its variable and, with ``--save``, its folder."""
        self.session.variables[request.name] = model
        if "save" in request.own:
            print(f"saved to {model.save(request.own['save'])}")
        return model

    def _request(self, parsed: ParsedLine) -> Request:
        name, cell = self.session.new_name(parsed.words), parsed.cell
        own = {key: value for key, value in parsed.options.items() if key not in FIT and value is not None}
        settings = {key: value for key, value in parsed.options.items() if key in FIT}
        if bits_of_live(own) is not None and "background" in own:
            raise OptionError(f"--live does not go with --background; afterwards, use %textgen_panel {name} --live")
        if "config" in own:
            from nbtextgen.core.settings_file import read_settings

            settings = read_settings(Path(own["config"]), FIT) | settings
        if "resume" in own:
            _check_resume(cell, own, settings)
        elif "text" in own and (option := next((side for side in ("source", "target", "valid") if side in own), "")):
            raise OptionError(f"--{option} does not apply to --text, which has no pairs; leave it out.")
        elif (sources := (cell is not None) + ("data" in own) + ("text" in own)) != 1:
            raise OptionError(
                "Give pairs in the cell below the magic or with --data, or a text with --text: one of them."
                if sources
                else "There is nothing to train on: give --data, or pairs in the cell below %%textgen_train."
            )
        return Request(name, settings, own, cell)

    def _training(self, request: Request) -> Training:
        from nbtextgen.generator import TextGenerator
        from nbtextgen.notebook.live.panel import watch
        from nbtextgen.notebook.live.training import Training

        elsewhere = LaunchConfig.of(1, request.launch.get("launch")) is not None
        if not elsewhere:
            self.session.check_alone()
        self.session.check_free(request.name)
        if "resume" in request.own:
            from nbtextgen.run.folder import Run

            training = Training(
                request.name, None, partial(TextGenerator.resume, request.own["resume"], **request.launch)
            )
            training.plan = Run.open(request.own["resume"]).plan
        else:
            model = TextGenerator(**request.settings)
            training = Training(request.name, model, partial(model.fit, **self._data(request)))
        watch(training, request.progress, rich=self.session.rich)
        training.elsewhere = elsewhere
        self.session.add_training(training)
        return training

    def _data(self, request: Request) -> Values:
        """Return the arguments of ``fit``."""
        own, cell = request.own, request.cell
        start = {name: self.session.data(own[name], f"--{name.replace('_', '-')}") for name in STARTING if name in own}
        if "text" in own:
            from nbtextgen.data.corpus import Corpus

            text = own["text"] if _is_path(own["text"], self.session) else self.session.data(own["text"], "--text")
            return {"data": Corpus.of(text, own.get("encoding")), **start, **request.fit_options}
        data = self.session.pairs_in_cell(cell)[0] if cell is not None else self.session.data(own["data"])
        valid = {"valid": self.session.data(own["valid"], "--valid")} if "valid" in own else {}
        return {"data": data, **valid, **start, **request.fit_options}


def _check_resume(cell: str | None, own: Values, settings: Values) -> None:
    """Raise ``OptionError`` for data and settings on the line of a resumed run, which has its own."""
    names = [
        name
        for name in (
            "data",
            "text",
            "valid",
            "source",
            "target",
            "encoding",
            "config",
            "run",
            "start",
            "replay",
            "replay_data",
        )
        if name in own
    ] + list(settings)
    if names or cell is not None:
        what = f"--{names[0].replace('_', '-')}" if names else "a cell of pairs"
        raise OptionError(f"A resumed run has its own data and settings: leave out {what}.")


def _is_path(text: str, session: Session) -> bool:
    """Return whether the text after ``--text`` names files; otherwise it is a variable or an expression."""
    if text.strip() in session.scope:
        return False
    return names_file(text) or text.endswith((".gz", ".md", ".rst")) or ("*" in text and "/" in text)
