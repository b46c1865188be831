"""Trials of what is promised about safety: the long ones by ``make trust``, short ones of the same in the tests."""
