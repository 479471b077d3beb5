"""Whether the rows of a file fit into memory, told before they are read."""

from __future__ import annotations

import sys
import zlib
from contextlib import suppress
from itertools import islice
from pathlib import Path

from nbtextgen.core.errors import MemoryShortError
from nbtextgen.data.readers.packing import GZIP, byte_pieces, packing_of, unpacked_size
from nbtextgen.data.readers.text import TextFile

ROW_BYTES = 190
"""Bytes of a row beside its text: the second text object, a place, and their positions in lists."""
SMALL_FILE = 1 << 24
"""Bytes below which a file that is not packed is read without an estimate."""
_SAMPLE = 1 << 20


def check_text_fits(path: Path, encoding: str | None) -> None:
    """Raise ``MemoryShortError`` if the rows of a text file need more memory than there is.

    The unpacked size of a packed file is estimated from its first megabyte.
    """
    size = path.stat().st_size
    ratio = _packing_ratio(path)
    if size * ratio < SMALL_FILE:
        return
    text = "".join(islice(TextFile(path, encoding).pieces(), 4))
    lines = text.split("\n")
    rows = max(len(lines), text.count("{")) if text.lstrip()[:1] in ("[", "{") else len(lines)  # JSON may be one line
    sample = sum(map(sys.getsizeof, lines)) + ROW_BYTES * rows
    raw = sum(map(len, islice(byte_pieces(path), 4)))
    check_fits(path, size * ratio / max(1, raw) * sample)


def check_fits(path: Path, needed: float) -> None:
    """Raise ``MemoryShortError`` if there is less memory than needed for the rows of a file."""
    free = free_memory()
    if free is not None and needed > free:
        raise MemoryShortError(
            f"The pairs of {path} need about {_size(needed)} of memory, and {_size(free)} are free; "
            "train with --store=FOLDER, which reads them in parts, or give fewer."
        )


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count > 1e9 else f"{count / 1e6:.0f} MB"


def _packing_ratio(path: Path) -> float:
    """Unpacked bytes for each byte of the file; 1 if it is not packed."""
    if packing_of(path) == "zip":
        return max(1.0, unpacked_size(path) / path.stat().st_size)
    with path.open("rb") as file:
        packed = file.read(_SAMPLE)
    if not packed.startswith(GZIP):
        return 1.0
    with suppress(zlib.error):
        member = zlib.decompressobj(wbits=31)
        unpacked = member.decompress(packed, _SAMPLE)
        used = len(packed) - len(member.unconsumed_tail) - len(member.unused_data)
        return max(1.0, len(unpacked) / max(1, used))
    return 1.0


def free_memory() -> int | None:
    """Bytes that this process can still use: of the machine, its control group, and its own limits."""
    free = list[int]()
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free.append(1024 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]))
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        with suppress(OSError, ValueError):  # "max" is no number
            free.append(
                int(Path(limit).read_text()) - int(Path(used).read_text()) + _cache(Path(used).with_name("memory.stat"))
            )
    with suppress(ImportError, OSError, ValueError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            free.append(limit - pages * resource.getpagesize())
    return max(0, min(free)) if free else None


def _cache(path: Path) -> int:
    """Bytes of a control group's page cache, which the kernel frees when they are needed."""
    values = dict(line.split() for line in path.read_text().splitlines())
    return int(values.get("inactive_file", 0)) + int(values.get("active_file", 0))
