"""The reason of a rule beside its title: said once, where both are the same words.

A freeze of which only the title was given has the title as its reason.
"""


def own_reason(title: object, reason: object) -> str:
    """Return the reason of a rule; empty if it only repeats the title."""
    text = str(reason or "")
    return "" if _words(text) == _words(str(title)) else text


def title_and_reason(title: object, reason: object) -> str:
    """Return ``Incident 42: Payments are down``; only ``Incident 42.`` if the reason repeats it."""
    own = own_reason(title, reason)
    short = str(title).rstrip(".")
    return f"{short}: {own}" if own else f"{short}."


def _words(text: str) -> str:
    """Return a text without what doesn't make it say something else."""
    return text.strip().rstrip(".").casefold()
