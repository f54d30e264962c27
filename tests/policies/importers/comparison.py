"""Compare an imported file with an independent reading of its source, instant by instant."""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from app.core.decision import Outcome, Question
from app.core.engine import Engine
from app.policies.importers.convert import Converted, convert
from app.policies.importers.imported import ImportOptions, SourceText
from app.policies.load import load_untested
from app.policies.source import Snapshot
from tests.policies.importers.wall_spans import HORIZON, Span, covers, instants

INSTANTS = 10_000


def imported(name: str, texts: dict[str, str], options: ImportOptions | None = None) -> Converted:
    """Import files as of the beginning of the horizon."""
    sources = [SourceText(file, text) for file, text in texts.items()]
    return convert(name, sources, options or ImportOptions(HORIZON[0]))


def engine_of(converted: Converted) -> Engine:
    return load_untested(Snapshot.of(converted.text, calendars=converted.calendars)).engine


def asked_at(zones: Iterable[ZoneInfo], spans: Sequence[Span], seed: str, count: int = INSTANTS) -> list[int]:
    return instants(spans, zones, seed, count)


def differences(engine: Engine, question: Question, spans: Sequence[Span], at: Sequence[int]) -> list[int]:
    """The instants at which the engine and a reading differ."""
    return [
        each for each in at if (engine.decide(question, each).outcome is Outcome.DENY) != covers(spans, each)
    ]
