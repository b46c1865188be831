"""A server that is told to stop while it works, and one in mixed use: short forms of the trials in `tests/trust`."""

from tests.trust import soak, stopping


def test_a_server_that_is_told_to_stop_finishes_its_questions(tmp_path):
    found = stopping.stops(tmp_path, 1, questions=12)
    assert found.kept, found.figure


def test_mixed_use_without_an_error(tmp_path):
    # So short that caches are still filling; an hour of it is held to 5%.
    found = soak.soak(tmp_path, lambda requests, _: requests >= 120, most_growth=30)
    assert found.kept, found.figure
