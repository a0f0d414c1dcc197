"""Pictures and clips as parts of a message, and drawings that the endpoint makes."""

import base64
import io
from collections.abc import Sequence

from inspect_ai.model import ContentImage, ContentVideo
from PIL import Image

PICTURE_SIZE = 256  # pixels a side that questions are shown in


def picture_part(picture: Image.Image) -> ContentImage:
    """A picture, enlarged where it is small, as PNG."""
    scale = max(1, PICTURE_SIZE // max(picture.size))
    large = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    return ContentImage(image="data:image/png;base64," + _coded(large, "PNG"))


def clip_part(frames: Sequence[Image.Image]) -> ContentVideo:
    """Pictures at two a second, in the form in which vLLM takes them one by one."""
    coded = ",".join(_coded(frame, "JPEG") for frame in frames)
    return ContentVideo(video="data:video/jpeg;base64," + coded, format="mp4")


def _coded(picture: Image.Image, form: str) -> str:
    held = io.BytesIO()
    picture.convert("RGB").save(held, form, **({"quality": 95} if form == "JPEG" else {}))
    return base64.b64encode(held.getvalue()).decode()
