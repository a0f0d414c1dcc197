"""Shows the network a picture and asks about it.

python examples/ask_about_picture.py drawing.png "What colour is the circle?"
"""

import base64
import os
import sys
from pathlib import Path

from openai import OpenAI

path, question = sys.argv[1], " ".join(sys.argv[2:]) or "What is this?"
picture = "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode()
client = OpenAI(base_url=os.environ.get("UNISONO_URL", "http://127.0.0.1:8000/v1"), api_key="any")
content = [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": question}]
reply = client.chat.completions.create(model="unisono", messages=[{"role": "user", "content": content}])
print(reply.choices[0].message.content)
