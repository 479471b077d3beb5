"""Draw README's animation, docs/pictures/train-and-explain.svg: a real training and a real explanation, as an SVG that moves.

    .venv/bin/python scripts/draw_animation.py [--story FILE]      # two minutes; with a FILE that exists, only drawn anew

A small model of the built-in dates is trained. What is shown is what it generated for held-out inputs meanwhile, and the
exact Shapley values of one output; the script raises unless every last output shown is right. The file needs no script and no
font of its own, and follows light and dark. For readers who prefer less motion there is the same as a still, in which everything can
be read; the file itself stands still for them, too, where a browser tells images about it.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import xml.etree.ElementTree as xml
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "train-and-explain.svg"
STILL = PICTURE.with_name("train-and-explain-still.svg")
SOURCE, TARGET = "4 Jul 1976", "1976-07-04"
SETTINGS = {"hidden_size": 96, "max_steps": 1500, "validate_every": 100, "samples": 60, "seed": 1}
SHOWN = 5
LONGEST = 26
"""Characters of an input that is shown."""
MOMENTS = 7
"""Validations that are shown, the last among them."""

SECONDS = 17.0
"""Of the whole, which then begins again."""
TRAINING = (0.0, 6.6)
EXPLAINING = (8.2, 15.4)
"""Seconds at which the two parts begin and end."""
WIDTH, HEIGHT = 880, 372
LEFT, RIGHT, PART = 24, 472, 384
"""Where the two parts begin, and their width."""
CHART = (64, 116, 344, 104)
"""Left, top, width and height of the chart."""
ROWS = 262
"""Baseline of the first row of the table."""
CHIP = 30
SMALL = 0.3
"""Nats below which a value is called little; it multiplies the probability by less than 1.35."""
KEPT = 3
"""The output token that the still explains."""


@dataclass(frozen=True)
class Story:
    """What is shown.

    Attributes:
        pairs, held_out: of the training.
        losses: update, and training loss.
        moments: of each validation that is shown: update, seconds of processor time, percent of the outputs that are exactly right.
        samples: of each input that is shown: input, reference, and what was generated at each moment.
        values: Shapley values in nats, ``(output tokens, input characters)``.
    """

    pairs: int
    held_out: int
    losses: list[tuple[int, float]]
    moments: list[tuple[int, float, float]]
    samples: list[tuple[str, str, list[str]]]
    values: list[list[float]]


def tell(folder: Path | None = None) -> Story:
    """Train a model, look at what it generates meanwhile, and explain one of its outputs; ``folder`` receives the model."""
    from nbtextgen import TextGenerator, builtin
    from nbtextgen.training.events import Event, Sample, Started, Step, Validation

    started: list[Started] = []
    steps: list[Step] = []
    validations: list[Validation] = []
    processor_time: dict[int, float] = {}
    samples: dict[str, dict[int, Sample]] = {}

    def listen(event: Event) -> None:
        if isinstance(event, Started):
            started.append(event)
        elif isinstance(event, Step):
            steps.append(event)
        elif isinstance(event, Validation):
            validations.append(event)
            processor_time[event.step] = time.process_time() - begin
        elif isinstance(event, Sample):
            samples.setdefault(event.source, {})[event.step] = event

    model, begin = TextGenerator(**SETTINGS), time.process_time()
    model.fit(builtin("dates"), callbacks=[listen])
    exact = model.evaluate(builtin("dates", 500, seed=99), metrics=["exact"])["exact"].value
    assert exact > 98, f"only {exact} % of unseen dates are right"
    if folder is not None:
        model.save(folder)
    tasks = [each for each in validations if each.task is not None]
    shown = _spread(tasks)
    rows = []
    for source, outputs in samples.items():
        texts = [
            next(outputs[step].output for step in sorted(outputs, reverse=True) if step <= each.step) for each in shown
        ]
        reference = next(iter(outputs.values())).target
        if len(source) <= LONGEST and source.isprintable() and texts[-1] == reference != texts[0]:
            rows.append((source, reference, texts))
    rows.sort(key=lambda row: (-len(set(row[2])), row[0]))
    rows = _of_all_kinds(rows)[:SHOWN]
    assert len(rows) == SHOWN, f"only {len(rows)} inputs can be shown"
    for source, reference, _ in rows:
        assert model.generate(source).text == reference, source
    explanation = model.explain(SOURCE, method="shap")
    assert explanation.text == TARGET and explanation.input_units == tuple(SOURCE), explanation
    return Story(
        started[0].pairs,
        started[0].valid_pairs,
        [(each.step, round(each.loss, 5)) for each in steps[:: max(1, len(steps) // 150)]],
        [(each.step, round(processor_time[each.step], 1), round(each.task or 0.0, 1)) for each in shown],
        rows,
        [[round(float(value), 2) for value in row] for row in explanation.values],
    )


def _spread(validations: Sequence) -> list:
    """Some validations, among them the first and the last: those whose metric has risen by equal parts."""
    first, last = validations[0], validations[-1]
    goals = [first.task + (last.task - first.task) * share / (MOMENTS - 1) for share in range(1, MOMENTS - 1)]
    middle = [min(validations[1:-1], key=lambda each: abs(each.task - goal)) for goal in goals]
    return sorted({each.step: each for each in (first, *middle, last)}.values(), key=lambda each: each.step)


def _of_all_kinds(rows: list[tuple[str, str, list[str]]]) -> list[tuple[str, str, list[str]]]:
    """The rows, those first whose letters and digits stand in an order that no row before has."""

    def kind(text: str) -> str:
        return "".join("0" if each.isdigit() else "a" if each.isalpha() else each for each in text)

    kinds = {kind(row[0]): row for row in reversed(rows)}
    first = sorted(kinds.values(), key=rows.index)
    return [*first, *(row for row in rows if row not in first)]


# Drawing -------------------------------------------------------------------------------------------------------------


def draw(story: Story, *, moves: bool = True) -> str:
    """Return the SVG, or the same as a still."""
    moments, tokens = len(story.moments), [*TARGET, "■"]
    times = [*_times(TRAINING, moments)], [*_times(EXPLAINING, len(tokens))]
    rules = [*_training_rules(times[0]), *_explaining_rules(story, times[1]), _REDUCED] if moves else [""]
    body = [*_training(story), *_explaining(story, tokens)]
    exact = story.moments[-1][2]
    description = (
        f"A model is trained on {story.pairs:,} dates in ten languages; after {story.moments[-1][1]:.0f} seconds of processor time "
        f"{exact:g} % of its outputs for held-out inputs are exactly right. Then its output {TARGET} for {SOURCE} is explained: "
        "each output character in turn, with the input characters that it depends on."
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">'
        f"<title>Training and explaining</title><desc>{escape(description)}</desc>"
        f"<style>{_STYLE}{''.join(rules)}</style>"
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="8"/>{"".join(body)}</svg>\n'
    )


_STYLE = (
    "svg{--ink:#1f2328;--soft:#59636e;--line:#d1d9e0;--paper:#fff;--train:#2b7bba;--good:#1a7f37;--box:#f0f2f4}"
    "@media(prefers-color-scheme:dark){svg{--ink:#f0f6fc;--soft:#9198a1;--line:#3d444d;--paper:#0d1117;--train:#58a6ff;"
    "--good:#3fb950;--box:#1c2128}}"
    "text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:var(--ink)}"
    ".paper{fill:var(--paper);stroke:var(--line)}.t{font-size:15px;font-weight:700}.s{font-size:11.5px;fill:var(--soft)}"
    ".v{font-size:15px;font-variant-numeric:tabular-nums}.c{text-anchor:middle}.e{text-anchor:end}.g{fill:var(--good)}"
    ".l{stroke:var(--line);fill:none}.curve{fill:none;stroke:var(--train);stroke-width:2;stroke-linejoin:round}"
    ".dot{fill:var(--train)}.b{fill:var(--box);stroke:var(--line)}.m{font-family:ui-monospace,'DejaVu Sans Mono',monospace}"
    ".o{fill:none;stroke:var(--train);stroke-width:2}.k{opacity:0}.last{opacity:1}"
    f"*{{animation-duration:{SECONDS:g}s;animation-iteration-count:infinite;animation-timing-function:step-end}}"
)
_REDUCED = "@media(prefers-reduced-motion:reduce){*{animation:none!important}}"


def _times(part: tuple[float, float], count: int) -> Iterable[float]:
    return (part[0] + (part[1] - part[0]) * index / (count - 1) for index in range(count))


def _percent(seconds: float) -> str:
    return f"{100 * seconds / SECONDS:.2f}%"


def _shown_between(name: str, begin: float, end: float | None, before: float = 0.0) -> str:
    """Return key frames in which something is seen from one moment to another, or to the end."""
    frames = f"0%{{opacity:{before:g}}}{_percent(begin)}{{opacity:1}}"
    frames += "100%{opacity:1}" if end is None else f"{_percent(end)}{{opacity:0}}100%{{opacity:0}}"
    return f"@keyframes {name}{{{frames}}}.{name}{{animation-name:{name}}}"


def _training_rules(times: Sequence[float]) -> list[str]:
    """Return the rules of what is seen at each moment of the training, and of the curve."""
    rules = [
        _shown_between(f"a{index}", begin, end)
        for index, (begin, end) in enumerate(zip(times, [*times[1:], None], strict=True))
    ]
    curve = f"0%{{stroke-dashoffset:1}}{_percent(TRAINING[0])}{{stroke-dashoffset:1}}{_percent(TRAINING[1])},100%{{stroke-dashoffset:0}}"
    rules.append(
        f"@keyframes curve{{{curve}}}.curve{{stroke-dasharray:1;animation-name:curve;animation-timing-function:linear}}"
    )
    dim = f"0%,{_percent(EXPLAINING[0] - 0.8)}{{opacity:.25}}{_percent(EXPLAINING[0] - 0.2)},100%{{opacity:1}}"
    rules.append(f"@keyframes dim{{{dim}}}.dim{{animation-name:dim;animation-timing-function:linear}}")
    return rules


def _explaining_rules(story: Story, times: Sequence[float]) -> list[str]:
    """Return the rules of what is seen at each output token, and of the shades of the input."""
    ends = [*times[1:], None]
    rules = [
        _shown_between(f"b{index}", begin, end) for index, (begin, end) in enumerate(zip(times, ends, strict=True))
    ]
    largest = _largest(story)
    for place in range(len(SOURCE)):
        frames = "".join(
            f"{_percent(begin)}{{fill:{_shade(row[place], largest)}}}"
            for begin, row in zip(times, story.values, strict=True)
        )
        last = _shade(story.values[-1][place], largest)
        rules.append(
            f"@keyframes i{place}{{0%{{fill:transparent}}{frames}100%{{fill:{last}}}}}.i{place}{{animation-name:i{place}}}"
        )
    return rules


def _largest(story: Story) -> float:
    return max(abs(value) for row in story.values for value in row)


def _shade(value: float, largest: float) -> str:
    red, green, blue = (217, 115, 13) if value > 0 else (43, 123, 186)
    return f"rgba({red},{green},{blue},{0.75 * min(1.0, abs(value) / largest):.2f})"


def _training(story: Story) -> Iterable[str]:
    """Return the left part: figures, the curve of the loss, and what is generated for held-out inputs."""
    yield f'<text class="t" x="{LEFT}" y="38">Train</text>'
    yield f'<text class="s" x="{LEFT + 50}" y="38">{story.pairs:,} dates in ten languages, one CPU core</text>'
    count = len(story.moments)
    heads = ("Update", "Held-out inputs exactly right", "CPU time")
    for x, head in zip((LEFT, LEFT + 110, LEFT + 320), heads, strict=True):
        yield f'<text class="s" x="{x}" y="64">{head}</text>'
    for index, (step, seconds, right) in enumerate(story.moments):
        figures = (f"{step:,}", f"{right:g} %", f"{seconds:.0f} s")
        for x, figure in zip((LEFT, LEFT + 110, LEFT + 320), figures, strict=True):
            yield f'<text class="v {_class("a", index, count - 1)}" x="{x}" y="83">{figure}</text>'
    yield from _curve(story)
    for x, head in ((LEFT, "Held-out input"), (LEFT + 180, "Reference"), (LEFT + 276, "Prediction")):
        yield f'<text class="s" x="{x}" y="{ROWS - 20}">{head}</text>'
    for row, (source, reference, outputs) in enumerate(story.samples):
        y = ROWS + 21 * row
        yield f'<path class="l" d="M{LEFT} {y - 15}h{PART}"/>'
        yield f'<text x="{LEFT}" y="{y}">{escape(source)}</text><text x="{LEFT + 180}" y="{y}">{escape(reference)}</text>'
        for index, output in enumerate(outputs):
            right = " g" if output == reference else ""
            mark = " ✓" if right else ""
            yield f'<text class="{_class("a", index, count - 1)}{right}" x="{LEFT + 276}" y="{y}">{escape(output[:16])}{mark}</text>'


def _class(kind: str, index: int, kept: int) -> str:
    """Return the classes of something that is seen at one of several moments; one is kept in the still."""
    return f"k {kind}{index}" + (" last" if index == kept else "")


def _curve(story: Story) -> Iterable[str]:
    left, top, width, height = CHART
    losses = story.losses
    low, high = (math.log(edge([loss for _, loss in losses])) for edge in (min, max))
    last = losses[-1][0]
    points = [
        (left + width * step / last, top + height * (high - math.log(loss)) / (high - low)) for step, loss in losses
    ]
    powers = [10.0**power for power in range(-4, 2) if low <= math.log(10.0**power) <= high]
    for value in powers:
        y = top + height * (high - math.log(value)) / (high - low)
        yield f'<path class="l" d="M{left} {y:.1f}h{width}"/><text class="s e" x="{left - 6}" y="{y + 4:.1f}">{value:g}</text>'
    yield f'<text class="s" x="{LEFT}" y="{top - 8}">Training loss (nats per character, logarithmic)</text>'
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    yield f'<path class="curve" pathLength="1" d="{path}"/>'


def _explaining(story: Story, tokens: Sequence[str]) -> Iterable[str]:
    """Return the right part: input and output as chips, a sentence for every output token, and a bar of colours."""
    largest = _largest(story)
    yield f'<g class="dim"><text class="t" x="{RIGHT}" y="38">Explain</text>'
    yield f'<text class="s" x="{RIGHT + 68}" y="38">what each output character depends on</text>'
    yield f'<text class="s" x="{RIGHT}" y="76">Input</text>'
    for place, unit in enumerate(SOURCE):
        x = RIGHT + place * (CHIP + 3)
        shade = _shade(story.values[KEPT][place], largest)
        yield f'<rect class="b" x="{x}" y="84" width="{CHIP}" height="46" rx="3"/>'
        yield f'<rect class="i{place}" fill="{shade}" x="{x}" y="84" width="{CHIP}" height="46" rx="3"/>'
        yield f'<text class="v c m" x="{x + CHIP / 2:g}" y="105">{"␣" if unit == " " else unit}</text>'
        for index, row in enumerate(story.values):
            yield f'<text class="s c {_class("b", index, KEPT)}" style="font-size:9px;fill:var(--ink)" x="{x + CHIP / 2:g}" y="123">{_signed(row[place])}</text>'
    yield f'<text class="s" x="{RIGHT}" y="162">Output</text>'
    for place, token in enumerate(tokens):
        x = RIGHT + place * (CHIP + 3)
        yield f'<rect class="b" x="{x}" y="170" width="{CHIP}" height="36" rx="3"/>'
        yield f'<rect class="o {_class("b", place, KEPT)}" x="{x}" y="170" width="{CHIP}" height="36" rx="3"/>'
        yield f'<text class="v c m" x="{x + CHIP / 2:g}" y="194">{token}</text>'
    for index, row in enumerate(story.values):
        for line, text in enumerate(_sentences(row, tokens, index)):
            yield f'<text class="{_class("b", index, KEPT)}" x="{RIGHT}" y="{240 + 20 * line}">{escape(text)}</text>'
    yield from _legend(largest)
    yield "</g>"


def _sentences(row: Sequence[float], tokens: Sequence[str], index: int) -> list[str]:
    """Return what the values of an output token say, in two lines."""
    best = max(range(len(row)), key=row.__getitem__)
    name = "The end" if index == len(tokens) - 1 else f"“{tokens[index]}” (character {index + 1})"
    unit = "the space" if SOURCE[best] == " " else f"“{SOURCE[best]}”"
    second = f"depends most on {unit}, input character {best + 1}: {_signed(row[best])} nats."
    if row[best] < SMALL:
        second = f"depends little on any input character: {_signed(row[best])} nats at most."
    return [name, second]


def _legend(largest: float) -> Iterable[str]:
    y = 296
    stops = "".join(
        f'<stop offset="{offset}" stop-color="{colour}" stop-opacity="{alpha}"/>'
        for offset, colour, alpha in (
            (0, "#2b7bba", 0.75),
            (0.5, "#2b7bba", 0),
            (0.5, "#d9730d", 0),
            (1, "#d9730d", 0.75),
        )
    )
    yield f'<linearGradient id="bar">{stops}</linearGradient>'
    yield f'<rect x="{RIGHT}" y="{y}" width="180" height="12" rx="2" fill="url(#bar)" stroke="var(--line)"/>'
    ends = ((0, "", f"−{largest:.1f}"), (90, " c", "0"), (180, " e", f"+{largest:.1f}"))
    for offset, anchor, text in ends:
        yield f'<text class="s{anchor}" x="{RIGHT + offset}" y="{y + 27}">{text}</text>'
    yield f'<text class="s" x="{RIGHT + 192}" y="{y + 10}">exact Shapley values, in nats;</text>'
    yield f'<text class="s" x="{RIGHT + 192}" y="{y + 27}">+0.69 doubles the probability</text>'


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{abs(value):.2f}"


def main() -> None:
    """Make the story, or read it, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--story", type=Path, help="file that keeps what was learned, for drawing it again")
    parser.add_argument("--model", type=Path, help="folder to save the model to, for draw_pictures.py --model")
    options = parser.parse_args()
    if options.story and options.story.exists():
        story = Story(**json.loads(options.story.read_text(encoding="utf-8")))
    else:
        story = tell(options.model)
        if options.story:
            options.story.write_text(json.dumps(asdict(story), ensure_ascii=False), encoding="utf-8")
    picture = draw(story)
    for path, content in ((PICTURE, picture), (STILL, draw(story, moves=False))):
        xml.fromstring(content)
        assert len(content.encode()) < 1_000_000
        path.write_text(content, encoding="utf-8")
        print(f"{path}: {len(content.encode()) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
