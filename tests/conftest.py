"""Settings of the tests.

Kernels are cached in a folder of the tests' own, which workers and runs share. Random graphs are few and always
the same ones; ``HYPOTHESIS_PROFILE=thorough pytest tests/test_program_random.py`` tries hundreds of new ones.
"""

from __future__ import annotations

import getpass
import os
import signal
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings

if "GRAPHC_CACHE" not in os.environ:  # inherited by the processes that tests start
    os.environ["GRAPHC_CACHE"] = str(Path(tempfile.gettempdir()) / f"graphc-tests-{getpass.getuser()}")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as what runs in the background inherits it
    signal.signal(signal.SIGINT, signal.default_int_handler)

_common = {"deadline": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile("ci", max_examples=40, derandomize=True, **_common)
settings.register_profile("thorough", max_examples=400, print_blob=True, **_common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
