"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# Machines that tests run on are shared: how long an example takes says nothing about the code.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")
