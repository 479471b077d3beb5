"""How much memory this process takes."""

from __future__ import annotations


def memory() -> int:
    """Bytes of memory in use now by this process, or on systems that do not tell, the most it ever used; 0: unknown."""
    try:
        with open("/proc/self/statm") as file:
            import resource

            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        pass
    try:
        import psutil  # comes with ipykernel

        return int(psutil.Process().memory_info().rss)
    except ImportError:
        return 0
