"""What pyproject.toml cannot say: the modules of Radix's protos are made when the package is built, by the machine's
own protoc, and lie in the package as `radix.reeve.v1.reeve_pb2`, where they import each other from.
"""

import pathlib
import shutil
import subprocess

from setuptools import setup
from setuptools.command.build_py import build_py

PROTOS = pathlib.Path(__file__).resolve().parents[2] / "protos"
PLUGIN = "grpc_python_plugin"


class BuildWithProtos(build_py):
    def run(self):
        super().run()
        protos = sorted(PROTOS.glob("radix/*/v1/*.proto"))
        if not protos:
            raise SystemExit(f"{PROTOS}/radix has no protos: install this package from within a tree of Radix")
        for program, package in ("protoc", "protobuf-compiler"), (PLUGIN, "protobuf-compiler-grpc"):
            if not shutil.which(program):
                raise SystemExit(f"there is no {program}: install {package}, as Debian calls it")
        subprocess.run(
            [
                "protoc",
                f"--proto_path={PROTOS}",
                f"--python_out={self.build_lib}",
                f"--plugin=protoc-gen-grpc_python={shutil.which(PLUGIN)}",
                f"--grpc_python_out={self.build_lib}",
                *map(str, protos),
            ],
            check=True,
        )


setup(cmdclass={"build_py": BuildWithProtos})
