"""Numbers in sentences: ``1 pair``, ``2 pairs``, ``1 of 3 sources is``; and values that a user gave."""

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


def percent(share: float, digits: int = 1) -> str:
    """A share in percent, as everywhere on screen: ``9.8 %``."""
    return f"{100 * share:.{digits}f} %"


def percent_of(percentage: float, count: int) -> str:
    """A percentage of so many: ``97 %`` of 32, ``99.8 %`` of 500."""
    return percent(percentage / 100, digits=int(count > 100))


def sentence_case(label: str) -> str:
    """Return a label as the page shows it, with a capital at its beginning."""
    return label[:1].upper() + label[1:]


def as_given(value: object, most: int = 60) -> str:
    """Return the first ``most`` characters of how Python spells a value, or its class if it cannot be spelled."""
    try:
        return f"{value!r:.{most}}"
    except Exception:  # of the user's object
        return f"an object of the class {type(value).__name__}"
