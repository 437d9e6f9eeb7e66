import subprocess
import sys

import pytest
import torch

from nerface_ns.model_components.processor_settings import prepare_processor

COUNT_FAULTS = """
import resource, sys
import torch
from nerface_ns.model_components.processor_settings import keep_freed_memory
if sys.argv[1] == "keep" and not keep_freed_memory():
    sys.exit("no glibc")
for _ in range(20):
    torch.zeros(2**23)  # 32 MiB, 8192 pages
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.zeros(2**23)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    command = [sys.executable, "-c", COUNT_FAULTS, how]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "no glibc" in done.stderr:
        pytest.skip("this C library cannot be told to keep memory")
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")
def test_large_blocks_are_used_again():
    """Ten blocks cost no page that the process had not before; given back, each costs its own."""
    assert 10 * page_faults("keep") < page_faults("leave")


def test_denormals_are_flushed():
    prepare_processor()
    tiny = torch.full((4,), 1e-38)
    assert (tiny * 1e-3).abs().max() == 0
