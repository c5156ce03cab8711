"""Shared by all tests."""

from hypothesis import HealthCheck, settings

# A machine with other work on it is no failure; and a green suite stays green on the same code.
settings.register_profile("project", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")
