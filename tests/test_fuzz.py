"""Short form of `tests.trust.fuzz`: twelve requests to each operation."""

from tests.trust.fuzz import fuzzed


def test_no_request_breaks_the_server(tmp_path):
    statuses, broken = fuzzed(tmp_path, 12)
    assert broken == []
    assert statuses.total() > 250
    assert statuses[200] > 30, "some of them reach what they are meant for"
    assert {200, 201, 404, 422} <= statuses.keys()
