"""The offer of a WebRTC call, read so that aiortc can answer what it would refuse.

Of an offer the call takes one section of sound, the data channel, and video sections without using them.
Everything else is answered as RFC 3264 says, with port 0, and the call goes on. Lines that SDP allows and
aiortc's parser does not, are put into the form that it knows, or left out where they say nothing that it
uses.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from aiortc.codecs import CODECS
from aiortc.rtcpeerconnection import find_common_codecs
from aiortc.rtp import FORBIDDEN_PAYLOAD_TYPES
from aiortc.sdp import FMTP_INT_PARAMETERS, SessionDescription

from unisono.serve.wire.errors import ApiError

# Payload types that have their meaning without a=rtpmap (RFC 3551).
STATIC = {"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000"}
CALL_LINES = ("v=", "o=", "s=", "t=")
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
# What an offer means that does not say it (RFC 8841).
CHANNEL_DEFAULTS = {"sctp-port": "5000", "max-message-size": "65536"}
OF_CODECS = ("rtpmap", "fmtp", "rtcp-fb")
NUMBER, WORD = r"\d+", r"[^\s]+"


def _matches(pattern: str) -> Callable[[str], str | None]:
    """-> a reader that keeps what matches the pattern, as its groups or whole, and drops the rest."""

    def read(value: str) -> str | None:
        found = re.match(pattern, value)
        if not found:
            return None
        return " ".join(group for group in found.groups() if group) if found.groups() else found[0]

    return read


def _candidate(value: str) -> str | None:
    """Only addresses: names that hide them (.local) take seconds to find and are seldom found. Whoever has
    such a name is seen when their first packet comes.
    """
    words = value.split()
    if len(words) < 8 or words[2].lower() != "udp" or not all(words[place].isdigit() for place in (1, 3, 5)):
        return None
    try:
        ipaddress.ip_address(words[4])
    except ValueError:
        return None
    return value


def _rtp_format(value: str) -> str | None:
    """a=rtpmap and a=fmtp: of payload types that RTP has room for."""
    number, _, rest = value.partition(" ")
    return value if number.isdigit() and int(number) < 128 and rest.strip() else None


# The attributes that aiortc uses, and how their values are read; it never sees the others. Without
# end-of-candidates it waits for who is seen late, and the call itself ends what never connects.
ATTRIBUTES: dict[str, Callable[[str], str | None]] = {
    "candidate": _candidate,
    "extmap": _matches(rf"({NUMBER})(?:/\w+)?\s+({WORD})"),
    "fingerprint": _matches(rf"({WORD})\s+({WORD})"),
    "fmtp": _rtp_format,
    "group": _matches(r".*"),
    "ice-lite": _matches(r"$"),
    "ice-pwd": _matches(WORD),
    "ice-ufrag": _matches(WORD),
    "max-message-size": _matches(NUMBER),
    "mid": _matches(WORD),
    "msid": _matches(r".*"),
    "msid-semantic": _matches(r"\s*(\S.*)"),
    "rtcp-fb": _matches(rf"({WORD})\s+(\S.*)"),
    "rtcp-mux": _matches(r"$"),
    "rtpmap": _matches(rf"({NUMBER})\s+([^\s/]+/{NUMBER}(?:/{NUMBER})?)"),
    "sctp-port": _matches(NUMBER),
    "sctpmap": _matches(rf"({NUMBER})\s+(\S.*)"),
    "setup": _matches(r"(?:active|passive|actpass)$"),
    "ssrc": _matches(rf"({NUMBER})\s+([\w-]+:.*)"),
    **{name: _matches(r"$") for name in DIRECTIONS},
}


def _attributes(lines: list[str]) -> Iterator[tuple[str, str]]:
    """(name, value) of the lines a=name:value that are of use."""
    for line in lines:
        name, _, value = line.removeprefix("a=").partition(":")
        if line.startswith("a=") and name in ATTRIBUTES:
            kept = ATTRIBUTES[name](value.strip())
            if kept is not None:
                yield name, kept


@dataclass
class Section:
    """One m= section of an offer."""

    kind: str
    port: int
    protocol: str
    formats: list[str]
    is_bundled_only: bool = False
    attributes: list[tuple[str, str]] = field(default_factory=list)
    is_taken: bool = False

    @classmethod
    def read(cls, lines: list[str]) -> "Section":
        """Its lines -> a section; ValueError where the first is none of SDP."""
        found = re.match(r"m=(\S+) +(\d+)(?:/\d+)? +(\S+) +(\S.*)", lines[0])
        if not found:
            raise ValueError(f"no section of media: {lines[0]!r}")
        section = cls(found[1], int(found[2]), found[3], found[4].split(), "a=bundle-only" in lines)
        section.attributes = list(_attributes(lines[1:]))
        if section.kind in CODECS:
            section._tidy_codecs()
        elif section.is_channel:
            section.attributes = [pair for pair in section.attributes if pair[0] not in OF_CODECS]
            named = {name for name, _ in section.attributes}
            section.attributes += [pair for pair in CHANNEL_DEFAULTS.items() if pair[0] not in named]
        return section

    def _tidy_codecs(self) -> None:
        """Formats that are numbers, each with its a=rtpmap; parameters only of those."""
        self.formats = [
            number
            for number in self.formats
            if number.isdigit() and int(number) < 128 and int(number) not in FORBIDDEN_PAYLOAD_TYPES
        ]
        named = {value.split()[0] for name, value in self.attributes if name == "rtpmap"}
        for number in self.formats:
            if number in STATIC and number not in named and self.kind == "audio":
                self.attributes.insert(0, ("rtpmap", f"{number} {STATIC[number]}"))
                named.add(number)
        self.attributes = [
            (name, value)
            for name, value in self.attributes
            if name != "fmtp" or value.split()[0] in named and _has_plain_numbers(value)
        ]

    def turn(self, direction: str) -> None:
        """Says in which direction it sends."""
        self.attributes = [pair for pair in self.attributes if pair[0] not in DIRECTIONS]
        self.attributes.append((direction, ""))

    @property
    def is_channel(self) -> bool:
        """Whether it carries data channels."""
        return self.kind == "application" and "SCTP" in self.protocol

    @property
    def mid(self) -> str | None:
        """Its name among the sections."""
        return next((value for name, value in self.attributes if name == "mid"), None)

    @property
    def is_rejected(self) -> bool:
        """Whether the client does not want it itself; behind another's port it may be wanted (RFC 9143)."""
        return self.port == 0 and not self.is_bundled_only

    def __str__(self) -> str:
        lines = [f"m={self.kind} {self.port or 9} {self.protocol} {' '.join(self.formats)}"]
        return "".join(f"{line}\r\n" for line in [*lines, *map(_line, self.attributes)])

    @property
    def refusal(self) -> str:
        """The section of an answer that says no."""
        name = "" if self.mid is None else f"a=mid:{self.mid}\r\n"
        formats = " ".join(self.formats) or "0"
        return f"m={self.kind} 0 {self.protocol} {formats}\r\nc=IN IP4 0.0.0.0\r\n{name}a=inactive\r\n"


def _line(attribute: tuple[str, str]) -> str:
    name, value = attribute
    return f"a={name}:{value}" if value else f"a={name}"


def _has_plain_numbers(value: str) -> bool:
    """Whether aiortc can read the parameters of a codec, some of which it takes for whole numbers."""
    pairs = (pair.partition("=") for pair in value.partition(" ")[2].split(";"))
    wanted = [number for key, sep, number in pairs if sep and key in FMTP_INT_PARAMETERS]
    return all(number.strip().isdigit() for number in wanted)


class Offer:
    """An offer: `text` is what aiortc gets of it, `answer` makes the whole answer of aiortc's."""

    def __init__(self, sdp: str) -> None:
        """ApiError where nothing in it can be answered."""
        lines = [line.rstrip() for line in re.split(r"\r\n|\r|\n", sdp)]
        starts = [place for place, line in enumerate(lines) if line.startswith("m=")]
        head = lines[: starts[0]] if starts else lines
        self.head = [line for line in head if line.startswith(CALL_LINES)]
        self.attributes = list(_attributes(head))
        self.direction = next((name for name, _ in self.attributes if name in DIRECTIONS), "sendrecv")
        try:
            self.sections = [
                Section.read(lines[start:end]) for start, end in zip(starts, [*starts[1:], len(lines)])
            ]
        except ValueError:
            raise ApiError("The offer is no SDP that can be answered.", 400, "sdp", "invalid_offer") from None
        self._take()

    def _take(self) -> None:
        """Chooses what the call is made of."""
        taken: set[str] = set()
        for section in self.sections:
            if section.is_rejected or section.kind != "video" and section.kind in taken:
                continue
            if section.is_channel or section.kind in CODECS and self._has_common_codec(section):
                section.is_taken = True
                taken.add(section.kind)
        if "audio" not in taken:
            has_sound = any(one.kind == "audio" and not one.is_rejected for one in self.sections)
            raise ApiError(
                "The offer has no codec of sound that is known here; offer opus, PCMU, PCMA or G722."
                if has_sound
                else "The offer has no audio; add a track or a transceiver for it.",
                400,
                "sdp",
                "invalid_offer",
            )

    def _has_common_codec(self, section: Section) -> bool:
        try:
            media = SessionDescription.parse(f"v=0\r\n{section}").media[0]
            return bool(find_common_codecs(CODECS[section.kind], media.rtp.codecs))
        except Exception:  # aiortc raises its own kinds, some of them bare
            return False

    @property
    def text(self) -> str:
        """What aiortc gets."""
        taken = [section for section in self.sections if section.is_taken]
        lines = [*self.head, *map(_line, self._grouped(taken))]
        for section in taken:
            if section.kind == "video":  # nobody looks at it, and what is not read would pile up
                section.turn("inactive")
            elif section.kind == "audio" and not any(name in DIRECTIONS for name, _ in section.attributes):
                section.turn(self.direction)  # it was said of all sections, or not at all
        return "".join(f"{line}\r\n" for line in lines) + "".join(map(str, taken))

    def _grouped(self, taken: list[Section]) -> Iterator[tuple[str, str]]:
        """The attributes of the whole, with a bundle of what is taken only."""
        names = {section.mid for section in taken}
        for name, value in self.attributes:
            if name != "group":
                yield name, value
            elif value.startswith("BUNDLE"):
                yield name, " ".join(["BUNDLE", *(mid for mid in value.split()[1:] if mid in names)])

    def answer(self, sdp: str) -> str:
        """aiortc's answer to `text` -> the answer to the offer, each section in its place."""
        head, *answered = re.split(r"(?=^m=)", sdp, flags=re.MULTILINE)
        given = iter(answered)
        return head + "".join(next(given) if one.is_taken else one.refusal for one in self.sections)
