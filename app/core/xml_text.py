"""Text of users in SVG and XML."""

import re
from html import escape
from typing import Final

_NO_XML: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML forbids, and line breaks."""


def xml_text(text: str) -> str:
    """Return a text as XML: escaped, with a blank for each character that XML forbids and each line break."""
    return escape(_NO_XML.sub(" ", text))
