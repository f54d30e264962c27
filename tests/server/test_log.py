"""The log for people at a terminal."""

import logging

from app.server.log import ReadableFormatter, readable_line

LINE = {"time": "2026-11-27T13:05:00Z", "level": "info", "message": "request"}


def test_a_line_for_a_terminal_is_words() -> None:
    line = {**LINE, "route": "/can-deploy", "status": 423, "service": "checkout"}
    assert readable_line(line) == "13:05:00Z info    request route=/can-deploy status=423 service=checkout"


def test_text_from_outside_does_not_control_the_terminal() -> None:
    line = readable_line({**LINE, "message": "a\x1b[31mb", "who": "ada\x1b[2J", "title": "two words"})
    assert line == r'13:05:00Z info    a\u001b[31mb who="ada\u001b[2J" title="two words"'


def test_an_error_keeps_its_traceback() -> None:
    try:
        int("why")
    except ValueError as error:
        told = (type(error), error, error.__traceback__)
    record = logging.LogRecord("freezegate", logging.ERROR, "here.py", 1, "it broke", None, told)
    shown = ReadableFormatter().format(record)
    assert "error   it broke\nTraceback" in shown
    assert shown.endswith("'why'")
