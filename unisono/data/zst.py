"""Archives, packed by zstandard or not: one that is damaged or was cut short is told apart from a short
one.
"""

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from unisono.core.errors import UserError


def unpack(path: Path) -> bytes:
    """The contents of a .zst file. UserError if it is missing, damaged or cut short."""
    try:
        import zstandard
    except ImportError as error:
        raise UserError("reading .zst archives needs zstandard; pip install 'unisono[data]'") from error
    if not path.exists():
        raise UserError(f"expected {path.name} in {path.parent}; name the shared data folder that holds it")
    packed, pieces = path.read_bytes(), []
    while packed:
        frame = zstandard.ZstdDecompressor().decompressobj()
        try:
            pieces.append(frame.decompress(packed))
        except zstandard.ZstdError as error:
            raise UserError(f"{path} is damaged ({error}); fetch it again") from None
        if not frame.eof:
            raise UserError(f"{path} is cut short; fetch it again")
        packed = frame.unused_data
    return b"".join(pieces)


def member(archive: tarfile.TarFile, name: str | tarfile.TarInfo) -> IO[bytes]:
    """A file of an archive, open; UserError where there is something else of this name."""
    file = archive.extractfile(name)
    if file is None:
        raise UserError(f"{name} in {archive.name!r} is no file; fetch the archive again")
    return file


@contextmanager
def archive_at(path: Path) -> Iterator[tarfile.TarFile]:
    """An open .tar or .tar.zst. UserError if it is missing or damaged, also where that shows only while it is
    read.
    """
    if not path.exists():
        raise UserError(
            f"expected the archive {path.name} in {path.parent}; name the shared data folder that holds it"
        )
    try:
        with (
            tarfile.open(path)
            if path.suffix != ".zst"
            else tarfile.open(fileobj=io.BytesIO(unpack(path))) as archive
        ):
            yield archive
    except (tarfile.TarError, EOFError, KeyError) as error:
        reason = (
            (str(error) or "it ends too early").splitlines()[0].rstrip(":")
        )  # tarfile tells what each way of unpacking found
        raise UserError(f"{path} is damaged ({reason}); fetch it again") from None
