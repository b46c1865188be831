"""Short forms of the trials of access and content, see `tests.trust.access`."""

import anyio

from tests.trust.access import climbed, disputed, guessed, told_apart


def test_what_is_not_yours_and_what_is_not_there_are_told_alike(tmp_path):
    count, differ = anyio.run(told_apart, tmp_path)
    assert count >= 25
    assert differ == []


def test_no_name_leads_out_of_the_index(tmp_path):
    count, wrong = anyio.run(climbed, tmp_path)
    assert count >= 100
    assert wrong == []


def test_guesses_at_once_are_counted_before_they_are_looked_at(tmp_path):
    assert guessed(tmp_path, 40) == (35, 5)


def test_forged_texts_do_not_hide_the_true_one(tmp_path):
    assert disputed(tmp_path, 3) == []
