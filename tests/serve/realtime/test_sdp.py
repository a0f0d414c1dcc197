"""Offers of WebRTC calls: what a call does not use is declined section by section, and no legal line refuses
all.
"""

import asyncio
import re

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from unisono.serve.realtime.sdp import Offer
from unisono.serve.wire.errors import ApiError

HEAD = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=msid-semantic: WMS\r\n"
ICE = (
    "c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=setup:actpass\r\n"
    f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\n"
)
BOTH = "a=sendrecv\r\na=rtcp-mux\r\n"
AUDIO = f"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{ICE}a=mid:0\r\n{BOTH}a=rtpmap:111 opus/48000/2\r\n"
CHANNEL = f"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{ICE}a=mid:1\r\na=sctp-port:5000\r\n"
VIDEO = f"m=video 9 UDP/TLS/RTP/SAVPF 96\r\n{ICE}a=mid:2\r\n{BOTH}a=rtpmap:96 {{}}/90000\r\n"


async def answered(sdp: str) -> list[str]:
    """The sections of aiortc's answer, completed."""
    offer, peer = Offer(sdp), RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        await peer.setRemoteDescription(RTCSessionDescription(offer.text, "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        return re.split(r"(?=^m=)", offer.answer(peer.localDescription.sdp), flags=re.MULTILINE)
    finally:
        await peer.close()


def sections(sdp: str) -> list[str]:
    head, *made = asyncio.run(asyncio.wait_for(answered(sdp), 30))
    assert all(made[0].count(f"a={name}") == 1 for name in ("mid", "rtcp-mux"))
    assert made[0].startswith("m=audio ") and not made[0].startswith("m=audio 0 ") and "candidate:" in made[0]
    taken = [re.search(r"a=mid:(\S+)", one)[1] for one in made if not re.match(r"m=\S+ 0 ", one)]
    assert f"a=group:BUNDLE {' '.join(taken)}" in head
    return made


def bundle(*mids: str) -> str:
    return f"{HEAD}a=group:BUNDLE {' '.join(mids)}\r\n"


@pytest.mark.parametrize("codec", ["AV1", "H265", "nonsense"])
def test_video_that_nobody_here_knows_is_declined(codec: str) -> None:
    made = sections(bundle("0", "2", "1") + AUDIO + VIDEO.format(codec) + CHANNEL)
    assert [one[:10] for one in made] == ["m=audio " + made[0][8:10], "m=video 0 ", "m=applicat"]
    assert "a=mid:2" in made[1] and "candidate:" in made[2]


def test_video_that_the_client_rejects_stays_rejected() -> None:
    made = sections(
        bundle("0", "1") + AUDIO + CHANNEL + VIDEO.format("VP8").replace("m=video 9", "m=video 0")
    )
    assert made[2].startswith("m=video 0 ")


def test_video_that_is_known_is_not_listened_to() -> None:
    made = sections(bundle("0", "1", "2") + AUDIO + CHANNEL + VIDEO.format("VP8"))
    assert "a=inactive" in made[2] and not made[2].startswith("m=video 0 ")


def test_a_port_that_is_only_bundled_is_no_rejection() -> None:
    hidden = CHANNEL.replace("m=application 9", "m=application 0") + "a=bundle-only\r\n"
    assert not sections(bundle("0", "1") + AUDIO + hidden)[1].startswith("m=application 0 ")


@pytest.mark.parametrize(
    "section",
    [
        AUDIO.replace("a=mid:0", "a=mid:3"),
        "m=text 9 UDP/TLS/RTP/SAVPF 98\r\na=mid:3\r\na=rtpmap:98 t140/1000\r\n",
        "m=application 9 TCP/TLS/BFCP *\r\na=mid:3\r\n",
        CHANNEL.replace("a=mid:1", "a=mid:3"),
        "m=image 0 udptl t38\r\n",
    ],
)
def test_one_sound_and_one_channel_are_enough(section: str) -> None:
    """Two tracks at once would be mixed up into one noise."""
    made = sections(bundle("0", "1", "3") + AUDIO + CHANNEL + section)
    assert re.match(r"m=\S+ 0 ", made[2])


@pytest.mark.parametrize(
    "line",
    [
        "a=extmap:14 urn:ietf:params:rtp-hdrext:toffset short-header",
        "a=extmap:1/sendrecv urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on",
        "a=extmap:nothing",
        "a=ssrc:123 something",
        "a=ssrc-group:FID a b",
        "a=fmtp:99 minptime=10",
        "a=fmtp:111 minptime=often; useinbandfec=1",
        "a=candidate:1 1 udp 2113937151 1f4f8b39-7a2c-4d4f-8b1a-1a2b3c4d5e6f.local 54321 typ host",
        "a=candidate:1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active",
        "a=candidate:1",
        "a=end-of-candidates",
        "a=candidate:1 1 udp 2113937151 a.local 54321 typ host\r\na=end-of-candidates",
        "a=rtcp:9 IN IP4 name.of.a.host",
        "a=rtcp-rsize\r\na=ptime:20\r\nb=AS:64\r\ni=a label\r\nk=prompt",
        "a=msid",
        "a=rtpmap:112 red/48000/2\r\na=rtpmap:x y",
        "a=rtcp-fb:* nack",
        "a=setup:actpass ",
    ],
)
def test_no_line_that_is_legal_refuses_the_offer(line: str) -> None:
    assert len(sections(f"{bundle('0', '1')}{AUDIO}{line}\r\n{CHANNEL}{line}\r\n")) == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("m=audio 9 ", "m=audio 9/1 "),
        ("SAVPF 111\r\n", "SAVPF 111 72 0 8\r\n"),
        ("c=IN IP4 0.0.0.0", "c=IN IP4 host.example"),
        ("a=sendrecv\r\n", ""),
        ("SAVPF 111\r\n", "SAVPF 0\r\n"),
        ("a=rtpmap:111 opus/48000/2\r\n", "a=rtpmap:111  opus/48000/2 \r\n"),
        ("\r\n", "\n"),
    ],
)
def test_other_ways_to_say_the_same(old: str, new: str) -> None:
    offer = bundle("0", "1") + AUDIO + CHANNEL
    assert old in offer and len(sections(offer.replace(old, new))) == 2


def test_a_channel_that_says_nothing_of_itself() -> None:
    assert (
        "a=sctp-port:5000"
        in sections(bundle("0", "1") + AUDIO + CHANNEL.replace("a=sctp-port:5000\r\n", ""))[1]
    )


@pytest.mark.parametrize(
    ("offer", "message"),
    [
        (HEAD + CHANNEL, "has no audio"),
        (HEAD + AUDIO.replace("m=audio 9", "m=audio 0") + CHANNEL, "has no audio"),
        (HEAD + AUDIO.replace("opus/48000", "iLBC/8000") + CHANNEL, "opus, PCMU, PCMA or G722"),
        (HEAD + "m=audio\r\n", "no SDP"),
    ],
)
def test_what_cannot_be_answered_is_said(offer: str, message: str) -> None:
    with pytest.raises(ApiError, match=message):
        Offer(offer)
