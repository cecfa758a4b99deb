"""Every test here speaks to a running gateway."""

from tests.infra.local.gateway.process import gateway

__all__ = ["gateway"]
