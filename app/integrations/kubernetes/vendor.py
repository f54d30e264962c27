"""The table entry of Kubernetes."""

from typing import Final

from app.integrations.kubernetes import route
from app.integrations.kubernetes.section import Kubernetes
from app.integrations.vendor import Vendor

VENDOR: Final = Vendor("kubernetes", section=Kubernetes, router=route.router)
