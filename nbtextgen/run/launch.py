"""Training a run in several processes: torchrun is started on the run's folder and watched through its event log."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Generator, Sequence
from pathlib import Path

import torch

from nbtextgen.core.errors import LaunchError, ModelFileError
from nbtextgen.core.files import as_sealed_json, read_sealed_json, replace
from nbtextgen.core.wording import counted
from nbtextgen.pipeline.session import TrainingSession
from nbtextgen.run.config import LaunchConfig
from nbtextgen.run.folder import Run
from nbtextgen.run.lock import Lock
from nbtextgen.run.log import read_events
from nbtextgen.run.training import RunTraining
from nbtextgen.run.watching import RemoteTraining, forwarded
from nbtextgen.training.controls import Controls
from nbtextgen.training.events import Ended, Event, TrainingWarning

LIFELINE = "NBTEXTGEN_LIFELINE"
WORKER_LOG = "workers.log"
LOST_CONNECTION = (
    "gloo/",
    "NCCL",
    "Connection closed by peer",
    "Connection reset",
    "DistNetworkError",
    "DistBackendError",
)
"""In the error of a worker that fails because another one did."""


def command(run: Run, config: LaunchConfig) -> list[str]:
    """The command line to run on every machine of the group."""
    nodes = str(config.nodes) if config.nodes == 1 else f"1:{config.nodes}"
    return [
        sys.executable,
        "-m",
        "torch.distributed.run",
        f"--nnodes={nodes}",
        f"--nproc-per-node={config.processes}",
        "--rdzv-backend=c10d",
        f"--rdzv-endpoint={config.rendezvous or 'localhost:0'}",
        f"--rdzv-id={run.name}",
        # A lost machine is noticed after 6 s and waited for another 20 s, so the others go on within a minute.
        "--rdzv-conf=keep_alive_interval=2,last_call_timeout=20",
        f"--max-restarts={config.restarts}",
        "--monitor-interval=0.5",
        "-m",
        "nbtextgen",
        "train",
        str(run.folder.resolve()),
    ]


def environment(config: LaunchConfig) -> dict[str, str]:
    """Environment variables of the processes."""
    threads = str(max(1, (os.cpu_count() or 1) // config.processes))
    # Without the second variable, a store that restarts share keeps the group from coming together again.
    return {"OMP_NUM_THREADS": threads, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"} | dict(os.environ)


class LaunchedTraining(RemoteTraining):
    """The ``TrainingSession`` of a run that other processes train, which this one starts."""

    def __init__(
        self, run: Run, config: LaunchConfig, controls: Controls | None = None, notes: Sequence[str] = ()
    ) -> None:
        super().__init__(run)
        self._config, self._notes = config, notes
        self._controls = controls or Controls()
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline = Lock(run.folder / "lifeline")
        self._log_start = 0  # bytes of the workers' log that earlier launches wrote

    def start(self) -> None:
        """Start the processes.

        Raises:
            LaunchError: if the rendezvous is no free port of this machine.
            ModelFileError: if the run is being trained already, or its folder cannot be written.
        """
        run = self._run
        if self._config.rendezvous:
            _check_rendezvous(self._config.rendezvous)
        if run.lock.held():
            run.lock.acquire()  # raises the error that names its holder
        run.agent.acquire()
        variables = environment(self._config)
        if not self._config.detach:
            self._lifeline.acquire()
            variables[LIFELINE] = str(self._lifeline.path.resolve())
        arguments = command(run, self._config)
        try:
            run.requests.unlink(missing_ok=True)
            with (run.folder / WORKER_LOG).open("ab") as log:
                self._log_start = log.tell()
                self._process = subprocess.Popen(
                    arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=variables,
                    # A session of its own: an interrupt of the kernel must not reach it in the middle of an update.
                    start_new_session=True,
                    pass_fds=[run.agent.handle],  # held by torchrun from here on, until it ends
                )
            note = {"process": self._process.pid, "host": socket.gethostname(), "command": arguments}
            replace(run.folder / "launch.json", as_sealed_json(note))
        except OSError as error:
            raise ModelFileError(f"{run.folder} cannot be written: {error.strerror or error}.") from error
        finally:
            run.agent.release()

    def notes(self) -> list[str]:
        """Warnings for the user about more processes than the machine or the data have work for."""
        processes, cores, notes = self._config.processes, os.cpu_count() or 1, list(self._notes)
        if processes > max(cores, torch.cuda.device_count()):
            notes.append(
                f"{processes} processes share {counted(cores, 'processor core')}, which is slower than one process for "
                "each; lower --processes."
            )
        pairs, everyone = len(self._run.training_data().train), processes * self._config.nodes
        if everyone > pairs:
            notes.append(
                f"{everyone} processes train on {counted(pairs, 'pair')}, so some of them have nothing to do; lower --processes."
            )
        return notes

    def run(self) -> Generator[Event, None, None]:
        """Start, and yield the events of the run until its processes end.

        Raises:
            LaunchError: if they end without having finished.
        """
        log_start = self._run.log.stat().st_size if self._run.log.exists() else 0
        self.start()
        yield from (TrainingWarning(note) for note in self.notes())
        if self._config.nodes > 1:
            line = " ".join(["TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1", "python", *command(self._run, self._config)[1:]])
            yield TrainingWarning(f"On each of the other machines, which must see this folder, run: {line}")
        process = self._process
        assert process is not None
        ended = False
        try:
            with forwarded(self._controls, self._run):
                for event in read_events(self._run.log, lambda: process.poll() is None, log_start):
                    ended = isinstance(event, Ended)
                    yield event
        finally:
            if process.poll() is None:  # the generator was closed
                self._ask_to_stop()
            self._lifeline.release()
        if process.returncode or not ended:
            raise LaunchError(
                f"The training processes of {self._run.folder} ended with an error ({self._last_line()}); "
                f"{WORKER_LOG} there has the details. Go on with TextGenerator.resume."
            )

    def stop(self) -> None:
        """Stop, keeping the best weights; waits until the processes have ended."""
        self._ask_to_stop()
        if self._process is not None:
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                end(self._run)

    def _ask_to_stop(self) -> None:
        try:
            self._run.controls.stop()
        except ModelFileError:
            end(self._run)

    def _last_line(self) -> str:
        """The line of the workers' log that explains best why they ended."""
        try:
            log = (self._run.folder / WORKER_LOG).read_bytes()[self._log_start :]
        except OSError:
            return "no log"
        lines = log.decode(errors="replace").splitlines()
        ours = [line for line in lines if line.startswith("nbtextgen: ")]
        # Where one process fails, the others fail too, since they lose their connection to it.
        causes = [line for line in ours if not any(sign in line for sign in LOST_CONNECTION)]
        errors = [line for line in lines if "Error" in line and "ChildFailedError" not in line]
        return (causes or ours or errors or lines or ["nothing was said"])[-1].strip()[:600]


def open_session(
    run: Run, controls: Controls | None = None, launch: LaunchConfig | None = None, notes: Sequence[str] = ()
) -> TrainingSession:
    """Return the session that trains a run.

    Args:
        run: the run to train or resume.
        controls: stop, pause and live settings.
        launch: where to train; ``None`` for this process. Detached processes are started here, and the session need not
            be run.
        notes: warnings for the user, reported first.

    Raises:
        ModelFileError: if detached processes are started and the run is being trained already.
    """
    if launch is None:
        return RunTraining(run, controls, notes)
    session = LaunchedTraining(run, launch, controls, notes)
    if launch.detach:
        session.start()
        for note in session.notes():
            warnings.warn(note, stacklevel=2)
    return session


def _check_rendezvous(address: str) -> None:
    """Raise ``LaunchError`` unless other machines can be waited for at ``HOST:PORT``, which else would take minutes."""
    host, _, port = address.rpartition(":")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as test:
            test.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            test.bind(place)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise LaunchError(f"Port {port} of {host} is in use; choose another one in --rendezvous.") from error
        raise LaunchError(
            f"--rendezvous must be a name and a free port of this machine (got {address}: {error.strerror})."
        ) from error


def end(run: Run) -> bool:
    """Kill the processes that train a run on this machine; its last checkpoint stays. Returns whether there were any."""
    try:
        note = read_sealed_json(run.folder / "launch.json")
        process, host = int(note["process"]), note["host"]
    except (ModelFileError, KeyError, ValueError, TypeError):
        return False
    if not run.agent.held() or host != socket.gethostname():
        return False
    try:
        os.kill(process, signal.SIGTERM)  # torchrun ends its workers
    except OSError:
        return False
    for _ in range(100):
        if not run.training:
            break
        time.sleep(0.1)
    return True


def hold_lifeline() -> None:
    """End this worker when the kernel that started it ends, unless the run is detached.

    The kernel holds a lock on a file, which the system releases however the kernel dies.
    """
    path = os.environ.get(LIFELINE)
    if path:
        threading.Thread(target=_watch, args=(Lock(Path(path)),), daemon=True).start()


def _watch(lock: Lock) -> None:
    while lock.held():
        time.sleep(0.5)
    try:
        os.kill(os.getppid(), signal.SIGTERM)  # or torchrun would restart this worker
    finally:
        time.sleep(0.5)  # torchrun must get the signal before it notices that this worker has ended
        os._exit(1)
