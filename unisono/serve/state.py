"""What a server keeps while it runs, declared once: create_app makes it, each wing reads its own part."""

from dataclasses import dataclass, field

from unisono.serve.realtime.admission import Secret
from unisono.serve.realtime.call import PeerCall
from unisono.serve.reply.service import Service
from unisono.serve.responses.store import ResponseStore
from unisono.serve.v1.chat_request import MAX_SPOKEN, SPOKEN_S
from unisono.serve.wire.access import Settings
from unisono.serve.wire.file_store import FileStore
from unisono.serve.wire.kept import Kept
from unisono.serve.wire.shown import ShownPictures, shown_pictures
from unisono.tokens.message import Part


@dataclass
class ServerState:
    """`app.state.server`. Wings below read it through a function of their own that names the type, such as
    wire/file_store.store_of.
    """

    service: Service
    settings: Settings
    files: FileStore = field(default_factory=FileStore)  # of each key
    spoken: Kept[list[Part]] = field(default_factory=lambda: Kept(MAX_SPOKEN, MAX_SPOKEN, SPOKEN_S))
    responses: ResponseStore = field(default_factory=ResponseStore)
    shown: ShownPictures = field(default_factory=shown_pictures)
    client_secrets: dict[str, Secret] = field(default_factory=dict)  # by ek_ key
    calls: dict[str, PeerCall] = field(default_factory=dict)  # WebRTC, by id
