"""The table entry of signed callbacks."""

from typing import Final

from app.integrations.callback.message import CallbackResponder, check_target
from app.integrations.callback.section import Callback
from app.integrations.vendor import Vendor

VENDOR: Final = Vendor(
    "callback",
    section=Callback,
    responder=lambda section, around: CallbackResponder(section, around.clock),
    check_target=check_target,
)
