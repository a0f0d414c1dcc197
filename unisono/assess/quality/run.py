"""`unisono bench quality`: what the network hears, says, sees, draws and answers, on held-out data.

The judges are independent of it: Whisper-tiny for speech, a scene reader for drawings, exact words for
answers. Every measure returns numbers with n and standard error. One record holds them all.
"""

import json
from collections.abc import Callable

from unisono.assess.options import BenchOptions
from unisono.assess.quality.calls import calls
from unisono.assess.quality.held_out import Bench
from unisono.assess.quality.marks import Numbers
from unisono.assess.quality.phrasings import phrasings
from unisono.assess.quality.pictures import draws, image_codec, sees
from unisono.assess.quality.reads import reads
from unisono.assess.quality.speech import audio_codec, hears, speaks
from unisono.assess.quality.talk import knows_its_limits, talks, talks_in_writing
from unisono.core.errors import UserError
from unisono.core.record import weights_of, write_record
from unisono.omni import Omni

MEASURES: dict[str, Callable[[Bench], Numbers]] = {
    "audio_codec": audio_codec,
    "image_codec": image_codec,
    "hears": hears,
    "speaks": speaks,
    "sees": sees,
    "talks_in_writing": talks_in_writing,
    "knows_its_limits": knows_its_limits,
    "draws": draws,
    "talks": talks,
    "reads": reads,
    "calls": calls,
    "phrasings": phrasings,
}


def run(options: BenchOptions) -> int:
    """Entry of `unisono bench quality`."""
    names = [name for name in options.only.split(",") if name] or list(MEASURES)
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        raise UserError(f"no measure {unknown[0]!r}; choose from {', '.join(MEASURES)}")
    if options.shared is None:
        raise UserError(
            "quality is measured on held-out recordings and texts; name their folder with --shared DIR"
        )
    bench = Bench(Omni(options.model), options)
    numbers: Numbers = {}
    for name in names:
        numbers[name] = MEASURES[name](bench)
        print(json.dumps({name: numbers[name]}), flush=True)
    path = write_record(
        "quality",
        numbers,
        config={
            "samples": options.samples,
            "model": bench.omni.folder.name,
            "weights": weights_of(bench.omni.folder),
        },
        seeds=[0],
        folder=options.records,
        part="" if names == list(MEASURES) else "-".join(names).replace("_", "-"),
    )
    print(json.dumps({"record": str(path)}))
    return 0
