"""The server's memory goes back to the system; its settings hold for a whole process, so one of its own tries them."""

import ctypes
import subprocess
import sys

import pytest

KEPT = """
import ctypes
from pathlib import Path
from ui.memory import keep_little

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

keep_little()
malloc = ctypes.CDLL(None).malloc
large = b"x" * 24_000_000  # once this is free, glibc would keep all that is smaller
del large
before = held()
large = b"x" * 16_000_000
malloc(1000)  # lies above it, so that the end of the heap stays where it is
del large
print(held() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="no glibc: memory is handed out otherwise")
def test_large_blocks_go_back_to_the_system():
    done = subprocess.run([sys.executable, "-c", KEPT], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 2_000_000
