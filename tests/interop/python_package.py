"""Installs Radix for Python as its README says: with pip, from the tree, without a network."""

import importlib.util
import pathlib
import shutil
import subprocess
import sys

TREE = pathlib.Path(__file__).resolve().parents[2]
NEEDED_MODULES = {
    "grpc": "python3-grpcio",
    "google.protobuf": "python3-protobuf",
    "cryptography": "python3-cryptography",
    "wheel": "python3-wheel",
    "ensurepip": "python3-venv",
}
NEEDED_PROGRAMS = {"protoc": "protobuf-compiler", "grpc_python_plugin": "protobuf-compiler-grpc"}


def is_there(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it would be in
        return False


def skip_if_something_is_missing():
    """Exits with 77, which CTest shows as skipped, and names the package."""
    missing = [package for module, package in NEEDED_MODULES.items() if not is_there(module)]
    missing += [package for program, package in NEEDED_PROGRAMS.items() if not shutil.which(program)]
    if missing:
        print(f"skipped: there is no {', '.join(missing)}")
        sys.exit(77)


def run(*command):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def install(folder):
    """Into a virtual environment in `folder`; returns its Python, and where it has its packages."""
    # pip builds in the folder that it is given: not in the tree, which others read meanwhile.
    for part in "clients/python", "protos":
        shutil.copytree(TREE / part, folder / part, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    venv = folder / "venv"
    run(sys.executable, "-m", "venv", "--system-site-packages", venv)
    run(venv / "bin/pip", "install", "--no-index", "--no-build-isolation", folder / "clients/python")
    python = venv / "bin/python"
    return python, run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()


def make_stubs(folder, *protos):
    """Those of an application, in `folder`."""
    folder.mkdir()
    run(
        "protoc", f"--proto_path={TREE}/protos", f"--python_out={folder}",
        f"--plugin=protoc-gen-grpc_python={shutil.which('grpc_python_plugin')}", f"--grpc_python_out={folder}", *protos,
    )  # fmt: skip
    return folder
