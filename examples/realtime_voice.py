"""Talks over the Realtime API: sends a spoken question, prints and keeps the spoken answer.

The files are WAV, 24 kHz, mono.

python examples/speak.py "What colour is the sky?" question.wav
python examples/realtime_voice.py question.wav answer.wav
"""

import asyncio
import base64
import os
import sys
import wave

from openai import AsyncOpenAI


async def talk(question: str, answer: str) -> None:
    client = AsyncOpenAI(base_url=os.environ.get("UNISONO_URL", "http://127.0.0.1:8000/v1"), api_key="any")
    with wave.open(question) as file:
        pcm = file.readframes(file.getnframes()) + bytes(48_000)  # a second of silence ends the turn
    with wave.open(answer, "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        async with client.realtime.connect(model="gpt-realtime") as call:
            await call.input_audio_buffer.append(audio=base64.b64encode(pcm).decode())
            async for event in call:
                if event.type == "response.output_audio.delta":
                    file.writeframes(base64.b64decode(event.delta))
                elif event.type == "response.done":
                    print(event.response.output[0].content[0].transcript)
                    return


asyncio.run(talk(sys.argv[1], sys.argv[2]))
