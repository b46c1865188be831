"""``python -m tests.trust.audit``: known vulnerabilities of the locked packages, for `make audit` and the CI."""

from __future__ import annotations

import sys

from tests.trust.supply import vulnerabilities


def main() -> int:
    """Print what was found.

    Returns:
        1 where a package has a vulnerability that is not exempted, else 0, also where no database could be asked.
    """
    found = vulnerabilities()
    sys.stdout.write(f"known vulnerabilities: {found.figure}\n")
    return 1 if found.vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
