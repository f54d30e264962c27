"""Numbers with their nouns: ``1 file``, ``2 files``, ``1,234 files``."""


def counted(number: int, noun: str, several: str = "") -> str:
    """Return a number and its noun; `several` is the plural where an s is not enough."""
    return f"{number:,} {noun_for(number, noun, several)}"


def noun_for(number: int, noun: str, several: str = "") -> str:
    """Return a noun, or a verb, in the form for a number: ``use`` or ``uses``, ``is`` or ``are``."""
    return noun if number == 1 else several or f"{noun}s"
