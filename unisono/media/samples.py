"""Small real files of known content in many containers, for the fuzz and the tests of reading."""

import io

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures

FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "300000"}
PAGES = {"page_duration": "200000"}
Kind = tuple[str, str, dict[str, str]]  # container, codec, options
SOUNDS: dict[str, Kind] = {
    "mp3": ("mp3", "libmp3lame", {}),
    "mp3 without a head": ("mp3", "libmp3lame", {"write_xing": "0"}),
    "opus": ("ogg", "libopus", PAGES),
    "ogg flac": ("ogg", "flac", PAGES),
    "adts": ("adts", "aac", {}),
    "m4a": ("ipod", "aac", {}),
    "fragments": ("mp4", "aac", FRAGMENTS),
    "flac": ("flac", "flac", {}),
    "wav": ("wav", "pcm_s16le", {}),
    "w64": ("w64", "pcm_s16le", {}),
    "rf64": ("wav", "pcm_s16le", {"rf64": "always"}),
    "aiff": ("aiff", "pcm_s16be", {}),
    "au": ("au", "pcm_s16be", {}),
    "caf": ("caf", "pcm_s16be", {}),
    "webm": ("webm", "libopus", {}),
    "mkv": ("matroska", "aac", {}),
    "ts": ("mpegts", "aac", {}),
    "avi": ("avi", "pcm_s16le", {}),
}
CLIPS: dict[str, Kind] = {
    "mp4": ("mp4", "libx264", {}),
    "fragments": ("mp4", "libx264", FRAGMENTS),
    "mkv": ("matroska", "libx264", {}),
    "webm": ("webm", "libvpx", {}),
    "avi": ("avi", "mpeg4", {}),
    "ts": ("mpegts", "libx264", {}),
    "flv": ("flv", "flv", {}),
}


def tone(seconds: float, rate: int, pitch: float) -> NDArray[np.float32]:
    """(N,) at 0.3 of full scale."""
    return (0.3 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def coded(name: str, seconds: float = 1.2, rate: int = 48000, pitch: float = 440.0) -> bytes:
    """A tone in one of SOUNDS."""
    container, codec, options = SOUNDS[name]
    file = io.BytesIO()
    pcm = tone(seconds, rate, pitch)
    with av.open(file, "w", format=container, options=options) as target:
        stream = target.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"  # type: ignore[assignment]
        for start in range(0, len(pcm), 1024):
            piece = (pcm[None, start : start + 1024] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
            frame.sample_rate, frame.pts = rate, start
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return file.getvalue()


def coded_clip(container: str, codec: str, options: dict[str, str], num: int = 40, rate: int = 8) -> bytes:
    """Pictures that turn from green to red, without sound."""
    file = io.BytesIO()
    with av.open(file, "w", format=container, options=options) as target:
        stream = target.add_stream(codec, rate=rate, options={"x265-params": "log-level=none"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.gop_size = 64, 48, 8
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(num):
            shade = 250 * number // num
            picture = Pictures.new("RGB", (64, 48), (shade, 250 - shade, 40))
            target.mux(stream.encode(av.VideoFrame.from_image(picture)))
        target.mux(stream.encode(None))
    return file.getvalue()


def picture_files() -> dict[str, bytes]:
    """A red picture in every format that is read."""
    found = {}
    for format in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
        file = io.BytesIO()
        Pictures.new("RGB", (96, 64), (220, 30, 30)).save(file, format)
        found[format] = file.getvalue()
    return found
