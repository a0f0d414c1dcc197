"""Files of pictures -> pictures."""

import contextlib
import io
import warnings
from pathlib import Path

from PIL import Image as Pictures, ImageOps

from unisono.core.errors import UserError
from unisono.media.files import MAX_PIXELS, content_of, reason

PICTURE_SIZE = (2048, 2048)  # pictures are kept no larger: a file of kilobytes may hold gigabytes of pixels
# Pillow runs other programs for some of the rest.
PICTURE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")


def read_picture(source: str | Path | bytes) -> Pictures.Image:
    """A PNG, JPEG, WebP, GIF, BMP or TIFF file or its content -> the picture, turned as its camera says, no
    larger than PICTURE_SIZE. What follows the end of the picture is passed over.
    """
    content, name = content_of(source, "picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, on sizes and oddities that are judged here
            picture = Pictures.open(io.BytesIO(content), formats=PICTURE_FORMATS)
            if picture.width * picture.height > MAX_PIXELS:
                raise UserError(
                    f"{name} has {picture.width} x {picture.height} pixels; expected at most "
                    f"{MAX_PIXELS // 10**6} million"
                )
            picture.draft("RGB", (1024, 1024))  # JPEG: decode no more than is looked at
            picture.load()
            picture.thumbnail(PICTURE_SIZE)
            with contextlib.suppress(Exception):  # damaged notes of the camera do not spoil the picture
                ImageOps.exif_transpose(picture, in_place=True)
            return _usual(picture)
    except UserError:
        raise
    except Exception as error:  # Pillow raises many kinds, some of them bare, for damaged files
        raise UserError(
            f"{name} is not a picture that can be read ({reason(error)}); "
            "expected PNG, JPEG, WebP, GIF, BMP or TIFF"
        ) from None


def _usual(picture: Pictures.Image) -> Pictures.Image:
    """A picture in a mode that converts to RGB; others come from TIFF."""
    if picture.mode == "LAB":  # its A is a colour, not what is transparent
        from PIL import ImageCms  # for the few files that need it

        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(picture, lab, rgb, outputMode="RGB") or picture
    return picture.convert("RGBA") if picture.mode in ("La", "RGBa") else picture
