"""Writes the stubs of `proto/leasehold/v1` into a folder, as the package `leasehold.v1`; beside this file by default.

Needs grpcio-tools (see `requirements.lock`), and nothing of the client.
"""

import pathlib
import sys

from grpc_tools import protoc

HERE = pathlib.Path(__file__).resolve().parent
PROTO = HERE.parents[2] / "proto"


def generate(out: pathlib.Path) -> None:
    package = out / "leasehold" / "v1"
    package.mkdir(parents=True, exist_ok=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    files = sorted(str(path) for path in (PROTO / "leasehold" / "v1").glob("*.proto"))
    arguments = ["protoc", f"-I{PROTO}", f"--python_out={out}", f"--pyi_out={out}", f"--grpc_python_out={out}"]
    if not files or protoc.main(arguments + files) != 0:
        sys.exit(f"the stubs of {PROTO} could not be written")


if __name__ == "__main__":
    generate(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
