"""Writes to the network and shows the answer as it comes.

unisono serve &
python examples/chat.py "What colour is the sky?"
"""

import os
import sys

from openai import OpenAI

client = OpenAI(base_url=os.environ.get("UNISONO_URL", "http://127.0.0.1:8000/v1"), api_key="any")
question = " ".join(sys.argv[1:]) or "What colour is the sky?"
stream = client.chat.completions.create(
    model="unisono", messages=[{"role": "user", "content": question}], stream=True
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
