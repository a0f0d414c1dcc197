"""The network in a Python program, without a server: a conversation in writing, a spoken reply, a drawing.

python examples/in_python.py replies/
"""

import sys
from pathlib import Path

import unisono
from unisono.media import write_sound

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
omni = unisono.load()
with omni.conversation(outputs=("text", "audio", "image"), seed=1) as conversation:
    print(conversation.reply("What is two plus two?").text)
    reply = conversation.reply("Draw a big red circle.")
for picture in reply.pictures:
    picture.save(folder / "drawing.png")
write_sound(folder / "said.wav", omni.say("The circle is red.").pcm, omni.sample_rate)
print("\n".join(sorted(str(path) for path in folder.iterdir())))
