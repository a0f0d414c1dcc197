"""Lets the network say a text, word for word, into a WAV file (24 kHz, mono).

python examples/speak.py "The star is blue." said.wav
"""

import os
import sys

from openai import OpenAI

text, path = sys.argv[1:3]
client = OpenAI(base_url=os.environ.get("UNISONO_URL", "http://127.0.0.1:8000/v1"), api_key="any")
with client.audio.speech.with_streaming_response.create(
    model="unisono", voice="heart", input=text, response_format="wav"
) as response:
    response.stream_to_file(path)
print(path)
