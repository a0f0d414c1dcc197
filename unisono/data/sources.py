"""Packages that carry data: read as they are downloaded, never unpacked or installed.

They lie in HOME/sources. A wheel is a zip archive, a package of npm a tar archive, one of Debian an `ar`
archive with a tar archive inside.
"""

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from unisono.core.errors import UserError

AR_HEAD = 60  # bytes before each member of a Debian package


@dataclass(frozen=True)
class Source:
    """A package by its exact name. `kind`: pypi, npm or debian; `version` may be empty; `licence` of what is
    taken from it."""

    name: str
    kind: str
    version: str
    licence: str

    def command(self, folder: Path) -> str:
        """What fetches it into `folder`."""
        if self.kind == "pypi":
            return f"pip download --no-deps -d {folder} {self.name}=={self.version}"
        if self.kind == "npm":
            return f"npm pack --pack-destination {folder} {self.name}@{self.version}"
        return f"cd {folder} && apt-get download {self.name}"

    @property
    def pattern(self) -> str:
        """How its file may be called."""
        if self.kind == "pypi":
            return f"{self.name.replace('-', '_')}-*.whl"
        if self.kind == "npm":
            return f"{self.name.lstrip('@').replace('/', '-')}-[0-9]*.tgz"
        return f"{self.name}_*.deb"

    def file(self, home: Path) -> Path | None:
        """Its file in home/sources; None where it is not there."""
        return max((home / "sources").glob(self.pattern), default=None)

    def members(self, home: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        """(name, content) of the files whose names are wanted, in the package's order.

        UserError where the package is not there, with the command that fetches it, or is damaged.
        """
        path = self.file(home)
        if path is None:
            folder = home / "sources"
            raise UserError(
                f"the package {self.name} ({self.licence}) is not here yet; run: "
                f"mkdir -p {folder} && {self.command(folder)}"
            )
        try:
            if path.suffix == ".whl":
                with zipfile.ZipFile(path) as archive:
                    names = sorted(filter(wanted, archive.namelist()))
                    yield from ((name, archive.read(name)) for name in names)
                return
            packed = io.BytesIO(_inner(path.read_bytes()) if path.suffix == ".deb" else path.read_bytes())
            with tarfile.open(fileobj=packed) as tar:
                for member in tar:  # in its own order: going back would unpack all again
                    if member.isfile() and wanted(member.name) and (found := tar.extractfile(member)):
                        yield member.name, found.read()
        except (zipfile.BadZipFile, tarfile.TarError, EOFError, ValueError) as error:
            raise UserError(f"{path} is damaged ({error}); delete it and fetch it again") from None


def _inner(package: bytes) -> bytes:
    """The data.tar of a Debian package."""
    at = len(b"!<arch>\n")
    while at + AR_HEAD <= len(package):
        name, size = package[at : at + 16].decode("ascii").strip(), int(package[at + 48 : at + 58])
        at += AR_HEAD
        if name.startswith("data.tar"):
            return package[at : at + size]
        at += size + size % 2
    raise ValueError("it holds no data.tar")
