"""Compare an imported file with an independent reading of its source, instant by instant."""

from collections.abc import Sequence
from itertools import chain, islice

from app.core.decision import Outcome, Question
from app.core.engine import Engine
from app.policies.importers.convert import Converted, convert
from app.policies.importers.imported import ImportOptions, SourceText
from app.policies.load import load_untested
from app.policies.source import Snapshot
from tests.policies.importers.wall_spans import HORIZON, Span, covers


def imported(name: str, texts: dict[str, str], options: ImportOptions | None = None) -> Converted:
    """Import files as of the beginning of the horizon."""
    sources = [SourceText(file, text) for file, text in texts.items()]
    return convert(name, sources, options or ImportOptions(HORIZON[0]))


def engine_of(converted: Converted) -> Engine:
    return load_untested(Snapshot.of(converted.text, calendars=converted.calendars)).engine


def differences(engine: Engine, question: Question, spans: Sequence[Span], at: Sequence[int]) -> list[int]:
    """The instants at which the engine and a reading differ."""
    return [
        each for each in at if (engine.decide(question, each).outcome is Outcome.DENY) != covers(spans, each)
    ]


def noticed(
    engine: Engine, question: Question, spans: Sequence[Span], wrong: Sequence[Span], at: Sequence[int]
) -> list[int]:
    """The instants, or edges of a wrong reading, at which the engine differs from it.

    They are those at which it differs from the right one, for the engine agrees with that.
    """
    if spans == wrong:
        return []
    edges = (each for span in wrong for edge in span for each in (edge - 1, edge))
    known = (each for each in chain(edges, at) if HORIZON[0] <= each < HORIZON[1])
    apart = (each for each in known if covers(spans, each) != covers(wrong, each))
    return differences(engine, question, wrong, list(islice(apart, 2)))
