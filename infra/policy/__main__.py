"""Starts the policy pack for the Pulumi engine: `pulumi preview --policy-pack infra/policy`.

The engine starts this folder by its path, so the project is added to the import path. The SDK does not flush the
line that the engine waits for, so standard output is unbuffered.
"""

import io
import runpy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True)
runpy.run_module("infra.policy.pack", run_name="__main__")
