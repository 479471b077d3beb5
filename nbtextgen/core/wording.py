"""Numbers in sentences: ``1 pair``, ``2 pairs``, ``1 of 3 sources is``."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun: ``1 pair``, ``1,204 pairs``.

    Args:
        number: how many.
        noun: in the singular.
        plural: if it is not the singular and an ``s``.
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def there_are(number: int, noun: str) -> str:
    """``There is 1 source`` or ``There are 2 sources``."""
    return f"There {'is' if number == 1 else 'are'} {counted(number, noun)}"


def share(part: int, whole: int, noun: str, singular: str = "", plural: str = "") -> str:
    """A part of a whole, and a verb that agrees with it: ``1 of 3 sources is``, ``2 of 3 sources are``.

    Args:
        part, whole: how many.
        noun: in the singular.
        singular, plural: the verb, if there is one.
    """
    verb = singular if part == 1 else plural
    return f"{part:,} of {counted(whole, noun)}" + (f" {verb}" if verb else "")


def sentence_case(label: str) -> str:
    """Return a label as the page shows it, with a capital at its beginning."""
    return label[:1].upper() + label[1:]
