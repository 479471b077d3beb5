"""Where a run is trained: processes, machines, detached or not."""

from __future__ import annotations

from dataclasses import dataclass

from nbtextgen.core.errors import LaunchError, OptionError
from nbtextgen.core.options import build, option


@dataclass(frozen=True)
class LaunchConfig:
    """Processes and machines that train a run; by default only this process.

    Example:
        >>> LaunchConfig(processes=2).restarts                  # for TextGenerator().fit(pairs, launch=...)
        3
    """

    processes: int = option(1, "processes on this machine that train together", minimum=1, maximum=1024, usual=(1, 8))
    nodes: int = option(1, "machines that train together; they must see the run's folder", minimum=1, maximum=1024)
    rendezvous: str | None = option(None, "HOST:PORT of this machine, where the others find it; needed with --nodes")
    restarts: int = option(3, "how often the group is started again after one of it died", minimum=0, maximum=1000)
    detach: bool = option(False, "let the run outlive this kernel, and return at once")

    def __post_init__(self) -> None:
        if self.nodes > 1 and not self.rendezvous:
            raise LaunchError("--nodes needs --rendezvous=HOST:PORT, a name and a free port of this machine.")
        if self.rendezvous is not None:
            host, _, port = self.rendezvous.rpartition(":")
            if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
                raise LaunchError(
                    f"--rendezvous must be HOST:PORT, with a port from 1 to 65535 (got {self.rendezvous!r})."
                )

    @classmethod
    def of(cls, processes: int, launch: LaunchConfig | None) -> LaunchConfig | None:
        """Combine the arguments of ``fit``; returns ``None`` to train in this process.

        Raises:
            OptionError: when a value is out of range.
        """
        if launch is not None and not isinstance(launch, cls):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise OptionError(
                f"launch must be a LaunchConfig, as LaunchConfig(processes=2) (got {type(launch).__name__})."
            )
        if launch is not None and processes not in (1, launch.processes):
            raise OptionError("--processes is given twice; give it in LaunchConfig only.")
        config = build(cls, vars(launch) if launch is not None else {"processes": processes})
        return config if config.processes > 1 or config.nodes > 1 or config.detach else None
