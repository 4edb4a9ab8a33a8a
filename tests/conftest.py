"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

from tests.effort import tries

# No test is timed: a busy machine must not fail a property. All else stays as hypothesis chooses it, in CI as well.
settings.register_profile("untimed", parent=settings(), deadline=None, max_examples=tries(settings().max_examples))
settings.load_profile("untimed")
