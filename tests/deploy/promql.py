"""Just enough of PromQL to say which metrics, labels and values an expression names.

Whatever it does not know is an error, so that nothing goes unchecked.
"""

import re
from typing import NamedTuple

_WORDS = frozenset({
    "sum", "min", "max", "count", "topk", "by", "rate", "increase", "max_over_time", "histogram_quantile",
    "absent", "time", "and", "or", "unless",
})  # fmt: skip
_TOKEN = re.compile(
    r"""
    (?P<grouping>\b(?:by|without|on|ignoring|group_left|group_right)\s*\((?P<labels>[^)]*)\))
    | (?P<range>\[(?:\d+[smhd]|\$__rate_interval|\$__range)\](?:\s+offset\s+\d+[smhd]\b)?)
    | (?P<name>[a-zA-Z_:][\w:]*)(?P<selector>\s*\{(?P<matchers>[^}]*)\})?
    | (?P<rest>[\d.]+|[-+*/<>=!(),\s])
    """,
    re.VERBOSE,
)
_MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"\s*')


class Named(NamedTuple):
    """What an expression names."""

    metrics: set[str]
    matchers: set[tuple[str, str, str, str]]
    """Metric, label, operator, value."""
    grouped_by: set[str]


def named(expression: str) -> Named:
    """What `expression` names; ValueError for what is not understood."""
    found = Named(set(), set(), set())
    at = 0
    while at < len(expression):
        token = _TOKEN.match(expression, at)
        if token is None:
            raise ValueError(f"not understood: {expression[at:]!r}")
        at = token.end()
        if token["grouping"]:
            found.grouped_by.update(label.strip() for label in token["labels"].split(","))
        elif token["name"] and (token["selector"] or token["name"] not in _WORDS):
            found.metrics.add(token["name"])
            found.matchers.update((token["name"], *each) for each in _matchers(token["matchers"] or ""))
    return found


def _matchers(text: str) -> list[tuple[str, str, str]]:
    matchers = []
    for part in filter(None, text.split(",")):
        matcher = _MATCHER.fullmatch(part)
        if matcher is None:
            raise ValueError(f"not understood: {part!r}")
        matchers.append((matcher[1], matcher[2], matcher[3]))
    return matchers
