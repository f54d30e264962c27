"""Sentences on the record that several commands print."""

from app.core.counted import counted, noun_for


def beginning(seq: int, kept: int, *, archived: bool) -> str:
    """Return where the record begins, and what became of the events before: some stay, and are archived too.

    Commands that count the same events say this alike: pruned are all, deleted those that don't stay.

    Args:
        seq: the position of the last event that was pruned.
        kept: how many events up to there stay.
        archived: whether they went into an archive.
    """
    went = "went into the archive" if archived else "were pruned without an archive"
    stay = f"; {kept:,} of them {noun_for(kept, 'stays', 'stay')} in the record" if kept else ""
    return f"It begins after event {seq:,}: {counted(seq, 'event')} {went}{stay}."
