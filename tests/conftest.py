"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# No test is timed: a busy machine must not fail a property. All else stays as hypothesis chooses it, in CI as well.
settings.register_profile("untimed", parent=settings(), deadline=None)
settings.load_profile("untimed")
