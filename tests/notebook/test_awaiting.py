"""Cells that await their training, in a real kernel and in shells that cannot await."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbtextgen.notebook.awaiting import AwaitMagics
from tests.notebook.kernel import Kernel, kernel

ROWS = "rows = [(a + b + c, c + b + a) for a in 'abcdefgh' for b in 'abcdefgh' for c in 'abcdefgh']"
TINY = "--hidden-size 8 --embedding-size 8 --dropout 0 --batch-size 16"
LONG = f"{TINY} --epochs 100000 --validate-every 10 --progress text"


@pytest.fixture(scope="module")
def running() -> Iterator[Kernel]:
    with kernel() as one:
        one.run("import os, nbtextgen, time")
        one.run(ROWS)
        yield one


def _when(text: str, act) -> object:
    """Calls ``act`` once, when the printed text first holds ``text``."""
    waiting = [act]

    def seen(so_far: str) -> None:
        if text in so_far and waiting:
            waiting.pop()()

    return seen


def test_the_kernel_uses_this_package(running: Kernel) -> None:
    import nbtextgen

    assert running.run("print(nbtextgen.__file__)").text.strip() == nbtextgen.__file__


def test_an_awaited_training_fills_its_variable_and_shows_no_value(running: Kernel) -> None:
    answer = running.run(f"%textgen_train words --data rows --epochs 1 {TINY} --quiet\n")
    assert answer.error is None and answer.value is None
    assert running.run("type(words.generate('abc').text).__name__").value == "'str'"


def test_the_value_of_an_awaited_training_can_be_assigned(running: Kernel) -> None:
    assert running.run(f"r = %textgen_train words --data rows --epochs 1 {TINY} --quiet\nr is words").value == "True"


def test_expressions_on_an_awaited_line_expand(running: Kernel) -> None:
    answer = running.run(
        f"for cell in ('gru', 'rnn'):\n    %textgen_train m_{{cell}} --data rows --cell {{cell}} --epochs 1 {TINY} --quiet\n"
    )
    assert answer.error is None
    assert running.run("m_gru.plan.model.cell, m_rnn.plan.model.cell").value == "('gru', 'rnn')"


def test_messages_are_read_while_the_cell_trains(running: Kernel) -> None:
    running.run("""
def opened(comm, message):
    get_ipython().magics_manager.registry["TrainCommands"].session.trainings["words"].controls.stop()
get_ipython().kernel.comm_manager.register_target("stop", opened)
""")

    def stop() -> None:
        message = running.client.session.msg("comm_open", {"comm_id": "1", "target_name": "stop", "data": {}})
        running.client.shell_channel.send(message)

    answer = running.end(running.begin(f"%textgen_train words --data rows {LONG}"), seen=_when("best so far", stop))
    assert answer.error is None
    assert "stopped after" in answer.shown


def test_an_interrupt_stops_an_awaited_training_and_keeps_its_best(running: Kernel) -> None:
    running.run("words = None")
    answer = running.end(
        running.begin(f"%textgen_train words --data rows {LONG}\nprint('next line')"),
        seen=_when("best so far", running.interrupt),
    )
    assert answer.error is None
    assert "stopped after" in answer.shown and "next line" in answer.shown
    assert running.run("words.generate('abc').tokens is not None").value == "True"


def test_an_interrupt_stops_a_training_that_blocks_its_cell(running: Kernel) -> None:
    running.run("words = None")
    answer = running.end(
        running.begin(f"%%time\n%textgen_train words --data rows {LONG}"),
        seen=_when("best so far", running.interrupt),
    )
    assert answer.error is None and "stopped after" in answer.shown
    assert running.run("words.generate('abc').tokens is not None").value == "True"


def test_a_mistake_in_an_awaited_line_is_one_sentence_and_stops_run_all(running: Kernel) -> None:
    answer = running.run("%textgen_train words --data rowz")
    assert answer.error is not None and answer.error.startswith("nbtextgen: --data rowz is neither")
    assert "\n" not in answer.error


def test_a_background_training_returns_at_once_and_can_be_used_while_it_trains(running: Kernel) -> None:
    running.run(f"%textgen_train words --data rows {LONG} --background")
    running.run("session = get_ipython().magics_manager.registry['TrainCommands'].session")
    answer = running.run("""
while True:
    try:
        first = words.generate("abc", beam=2)
        break
    except Exception as error:
        assert "first validation" in str(error), error
        time.sleep(0.05)
print(session.trainings["words"].running)
""")
    assert answer.text.strip().endswith("True"), answer
    assert "is training in this notebook" in str(running.run(f"%textgen_train words --data rows {LONG}").error)
    stopped = running.run('session.trainings["words"].controls.stop()\nsession.trainings["words"].worker.wait()')
    assert stopped.error is None
    assert running.run("words._session is None and words.generate('abc') is not None").value == "True"


def test_code_is_left_alone_where_nothing_can_be_awaited() -> None:
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "nbtextgen")
    assert "await" not in shell.transform_cell("%textgen_train words --data rows")

    async def transformed(cell: str) -> str:
        return shell.transform_cell(cell)

    for cell, count in (
        ("%textgen_train words --data rows", 1),
        ("%%textgen_train words\nabc\tcba", 1),
        ("x = 'é\u2028'\nif True:\n    r = %textgen_train w --data 'é' --tokens char", 1),
        ("x = 'ä'; y = 1\n%textgen_train a --data b\n%textgen_train c --data d", 2),
        ("def f():\n    %textgen_train words --data rows", 0),
        ("print('textgen_train')", 0),
        ("%textgen_generate words 'textgen_train'", 0),
        ("%%time\n%textgen_train words --data rows", 0),
    ):
        code = asyncio.run(transformed(cell))
        assert code.count("await get_ipython()") == count, code
    shell.run_line_magic("reload_ext", "nbtextgen")
    ours = [one for one in shell.input_transformers_post if isinstance(one, AwaitMagics)]
    assert len(ours) == 1
    assert (
        sum(one.__self__ is ours[0] for one in shell.events.callbacks["pre_execute"] if hasattr(one, "__self__")) == 1
    )
