"""Third-party npm packages, each in a fixed version, installed once for all runs."""

import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

needs_npm = pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed")


def installed(package, version):
    """Install an npm package, without running its scripts, and return its folder."""
    name = package.rpartition("/")[2]
    prefix = Path.home() / ".cache" / f"django-site-{name}-{version}"
    prefix.mkdir(parents=True, exist_ok=True)
    with FileLock(prefix / "lock"):
        if not (prefix / "installed").exists():
            options = ["--prefix", str(prefix), "--ignore-scripts", "--no-audit", "--no-fund"]
            command = ["npm", "install", *options, "--silent", f"{package}@{version}"]
            subprocess.run(command, check=True, timeout=600)
            (prefix / "installed").touch()
    return prefix / "node_modules" / package
