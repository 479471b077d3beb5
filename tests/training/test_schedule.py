"""How long a run is: schedules by updates and by the clock, validations, plateaus. All clocks are numbers given here."""

from __future__ import annotations

import pytest

from nbtextgen.training.config import TrainingConfig
from nbtextgen.training.schedule import RunLength, rate_at
from nbtextgen.training.state import Progress


def horizon(updates_per_epoch: int = 50, **options: object) -> RunLength:
    return RunLength(TrainingConfig(schedule="stable-decay", **options), updates_per_epoch)  # type: ignore[arg-type]


def test_learning_rate_rises_stays_and_falls_to_zero() -> None:
    rates = [rate_at("stable-decay", step, 1000, 0.1) for step in (0, 100, 300, 500, 750, 1000)]
    assert rates[0] < 0.02
    assert rates[1:] == pytest.approx([1.0, 1.0, 1.0, 0.5, 0.0])


def test_updates_alone_decide_without_a_time_limit() -> None:
    run = horizon(epochs=20)
    assert run.steps == 1000
    slow, fast = (run.rate(Progress(step=750), seconds) for seconds in (1e6, 1.0))
    assert slow == fast == pytest.approx(0.5)
    assert run.reason_to_stop(Progress(step=999), 1e6) == ""
    assert run.reason_to_stop(Progress(step=1000), 0.0) == "finished"


def test_the_clock_decides_with_a_time_limit() -> None:
    run = horizon(max_minutes=1.0)
    assert run.steps is None
    assert run.rate(Progress(step=5), 45.0) == pytest.approx(0.5)
    assert run.rate(Progress(step=5), 60.0) == pytest.approx(0.0)
    assert run.expected_steps(Progress(step=100), 15.0) == 400
    assert run.reason_to_stop(Progress(step=5), 59.0) == ""
    assert run.reason_to_stop(Progress(step=5), 60.0) == "time"


def test_whichever_limit_is_nearer_leads_the_schedule() -> None:
    run = horizon(max_minutes=1.0, epochs=20)
    assert run.rate(Progress(step=750), 1.0) == run.rate(Progress(step=1), 45.0) == pytest.approx(0.5)


def test_the_last_validation_fits_into_the_time_limit() -> None:
    run, progress = horizon(max_minutes=1.0), Progress(step=10)
    run.validated(progress, 20.0, 24.0)
    assert run.reason_to_stop(progress, 55.9) == ""
    assert run.reason_to_stop(progress, 56.0) == "time"


def test_validation_takes_a_small_part_of_the_time() -> None:
    run, progress = horizon(max_minutes=10.0), Progress(step=10)
    assert not run.validation_due(progress, 59.0)
    assert run.validation_due(progress, 60.0)
    run.validated(progress, 60.0, 65.0)
    assert not run.validation_due(progress, 164.0)  # five seconds are a twentieth of a hundred
    assert run.validation_due(progress, 165.0)


@pytest.mark.parametrize(("per_epoch", "epochs", "every"), [(50, 20, 50), (10_000, 3, 3000), (400, 2, 100)])
def test_long_epochs_are_validated_before_they_end(per_epoch: int, epochs: int, every: int) -> None:
    assert horizon(per_epoch, epochs=epochs).every == every


def test_a_plateau_begins_the_decay_and_ends_the_run() -> None:
    run, progress = horizon(epochs=20), Progress(step=100)
    run.validated(progress, 0.0, 0.0)
    for step in (150, 200, 250, 300, 350):
        assert not progress.decay_from
        progress.step, progress.stale = step, progress.stale + 1
        run.validated(progress, 0.0, 0.0)
    assert progress.decay_from == pytest.approx(0.35)
    assert run.rate(progress, 0.0) == pytest.approx(1.0)
    assert run.expected_steps(progress, 1.0) == 700
    assert run.rate(Progress(step=525, decay_from=0.35), 0.0) == pytest.approx(0.5)
    assert run.reason_to_stop(Progress(step=699, decay_from=0.35), 0.0) == ""
    assert run.reason_to_stop(Progress(step=700, decay_from=0.35), 0.0) == "early"


def test_no_early_decay_while_validation_improves() -> None:
    run, progress = horizon(epochs=20), Progress()
    for step in range(50, 1001, 50):
        progress.step, progress.stale = step, step // 50 % 3
        run.validated(progress, 0.0, 0.0)
    assert not progress.decay_from


def test_patience_counts_validations() -> None:
    run = horizon(epochs=20, patience=3)
    assert run.reason_to_stop(Progress(step=10, stale=2), 0.0) == ""
    assert run.reason_to_stop(Progress(step=10, stale=3), 0.0) == "early"


def test_progress_of_earlier_checkpoints_is_read() -> None:
    values = Progress(step=7, best=1.5).as_dict()
    for name in ("best_loss", "improved", "decay_from", "validated", "validated_step"):
        del values[name]
    assert Progress.from_dict(values) == Progress(step=7, best=1.5)
