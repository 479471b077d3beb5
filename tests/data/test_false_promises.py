"""Objects that are not what they promise: paths without a name, lists shorter than their length, keys without values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from nbtextgen import LaunchConfig, Pairs, Run, TextGenerator
from nbtextgen.core.errors import DataError, ModelFileError, OptionError
from nbtextgen.data.readers.texts import read_texts

WORDS = ["abc", "bca", "cab", "acb", "bac", "cba"]
PAIRS = [(word, word[::-1]) for word in WORDS] * 3
SMALL: dict[str, Any] = {"hidden_size": 8, "embedding_size": 8, "epochs": 1}


class Named:
    """A path-like object that gives something as its name, or raises it."""

    def __init__(self, name: object) -> None:
        self.name = name

    def __fspath__(self) -> Any:
        if isinstance(self.name, Exception):
            raise self.name
        return self.name


class Sized(list[object]):
    """A list with a length of its own."""

    def __init__(self, items: object, length: object) -> None:
        super().__init__(items)  # type: ignore[call-overload]
        self.length = length

    def __len__(self) -> Any:
        return self.length


class Numbered:
    """Rows by number, fewer than promised."""

    def __len__(self) -> int:
        return 99

    def __getitem__(self, index: int) -> object:
        return PAIRS[index]


class NoIterator:
    def __iter__(self) -> Any:
        return None


class OtherKeys(dict[str, object]):
    def keys(self) -> Any:
        return ["source", "target", "more"]

    def __iter__(self) -> Iterator[str]:
        return iter(["source", "target", "more"])


class Anything:
    """Has every attribute, as a stub for tests has."""

    def __getattr__(self, name: str) -> object:
        return None


class Frame:
    columns = ("source", "target")

    def __len__(self) -> int:
        return 3

    def __getitem__(self, key: object) -> object:
        raise KeyError(key)


class Unspelled:
    def __repr__(self) -> str:
        raise RuntimeError("detached")


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    return TextGenerator(**SMALL).fit(PAIRS, callbacks=[])


@pytest.mark.parametrize("name", [3, None, RuntimeError("gone"), TypeError("no")])
def test_a_path_that_gives_no_name_is_refused(name: object, model: TextGenerator, tmp_path: Path) -> None:
    path: Any = Named(name)
    for call in (
        lambda: Pairs.of(path),
        lambda: model.generate(path),
        lambda: model.generate_file(path),
        lambda: model.generate_file(WORDS, path),
        lambda: model.save(path),
        lambda: TextGenerator.load(path),
        lambda: TextGenerator(**SMALL).fit(PAIRS, run=path),
        lambda: TextGenerator(**SMALL).fit(PAIRS, start=path),
        lambda: TextGenerator(**SMALL).fit_text(path),
        lambda: TextGenerator(**SMALL, store=path).fit(PAIRS),
        lambda: model.generate("abc", glossary=path),
        lambda: Run.open(path),
    ):
        with pytest.raises(
            DataError, match=r"Named gives no name of a file: its method __fspath__ raised \w+ or gave no"
        ):
            call()


def test_a_path_of_any_class_is_a_path(model: TextGenerator, tmp_path: Path) -> None:
    def named(name: str) -> Any:
        return Named(str(tmp_path / name))

    (tmp_path / "a.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS))
    (tmp_path / "a.txt").write_text("".join(f"{word}\n" for word in WORDS))
    assert list(Pairs.of(named("a.tsv"))) == PAIRS
    assert model.generate_file(named("a.txt"), named("b.tsv"), on_progress=lambda *_: None).count == 6
    assert len(model.generate(named("a.txt"))) == 6
    assert TextGenerator.load(model.save(named("m"))).predict(["abc"]) == model.predict(["abc"])
    TextGenerator(**SMALL, store=named("s")).fit(PAIRS, callbacks=[])
    assert {path.name for path in tmp_path.iterdir()} == {"a.tsv", "a.txt", "b.tsv", "m", "s"}


@pytest.mark.parametrize("run", [3, 1.5, b"r", ["r"], Anything(), {"name": "r"}])
def test_a_run_is_not_named_by_what_is_no_name(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelFileError, match=f"named by a text or a Path, not by {type(run).__name__}"):
        TextGenerator(**SMALL).fit(PAIRS, run=run, callbacks=[])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("launch", [{"processes": 2}, 2, Anything(), "two"])
def test_a_launch_is_a_launch_config(launch: Any) -> None:
    with pytest.raises(OptionError, match=rf"launch must be a LaunchConfig.*\(got {type(launch).__name__}\)"):
        TextGenerator(**SMALL).fit(PAIRS, launch=launch)


def test_processes_that_are_given_twice_are_refused() -> None:
    with pytest.raises(OptionError, match="processes is given twice; give it in LaunchConfig only"):
        TextGenerator(**SMALL).fit(PAIRS, processes=2, launch=LaunchConfig(detach=True))
    assert LaunchConfig.of(2, LaunchConfig(processes=2)) == LaunchConfig(processes=2)


@pytest.mark.parametrize(
    "data",
    [
        Sized(PAIRS, -1),
        Sized(PAIRS, "3"),
        Numbered(),
        NoIterator(),
        OtherKeys(source=WORDS, target=WORDS),
        Anything(),
        Frame(),
        [(Unspelled(), "b"), ("c", "d")],
        [Unspelled()],
    ],
    ids=lambda data: type(data).__name__,
)
def test_data_that_is_not_what_it_promises_is_refused_with_the_way_out(data: Any) -> None:
    with pytest.raises(DataError, match=r"; (give|convert) "):
        Pairs.of(data)


@pytest.mark.parametrize("data", [Numbered(), NoIterator(), Anything(), Sized(WORDS, -1)])
def test_texts_that_are_not_what_they_promise_are_read_or_refused(data: Any, model: TextGenerator) -> None:
    try:
        assert len(model.generate_file(data, on_progress=lambda *_: None).texts) == 6
    except DataError as error:
        assert str(error).startswith("Texts cannot be read from") or "choose a column" in str(error)
    with pytest.raises(DataError, match="Texts cannot be read from NoIterator, which raised TypeError"):
        read_texts(NoIterator())


def test_errors_of_the_users_own_stream_stay_as_they_are() -> None:
    def stream() -> Iterator[tuple[str, str]]:
        yield from PAIRS[:3]
        raise ConnectionError("the server went away")

    with pytest.raises(ConnectionError, match="the server went away"):
        Pairs.of(stream())


def test_a_table_that_has_only_the_interface_of_arrow_is_read() -> None:
    class Result:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return pyarrow.table({"source": WORDS, "target": WORDS[::-1]}).__arrow_c_stream__()

    assert list(Pairs.of(Result())) == list(zip(WORDS, WORDS[::-1], strict=True))
    assert read_texts(Result(), "target") == WORDS[::-1]


def test_values_that_cannot_be_spelled_are_named_by_their_class(model: TextGenerator) -> None:
    value: Any = Unspelled()
    with pytest.raises(OptionError, match="got an object of the class Unspelled"):
        TextGenerator(hidden_size=value)
    with pytest.raises(OptionError, match=r"a list of names and functions \(got an object of the class Unspelled"):
        model.evaluate(PAIRS, metrics=value)
    for metrics in (3, b"bleu", Anything()):
        with pytest.raises(OptionError, match="Metrics are given as a list of names and functions"):
            model.evaluate(PAIRS, metrics=metrics)  # type: ignore[arg-type]


def test_a_mapping_whose_values_are_no_columns_is_refused() -> None:
    class Numbers(Mapping[str, object]):
        def __getitem__(self, key: str) -> object:
            return 3

        def __iter__(self) -> Iterator[str]:
            return iter(["source", "target"])

        def __len__(self) -> int:
            return 2

    with pytest.raises(DataError, match="The column 'source' is 3, not a list of texts"):
        Pairs.of(Numbers())
