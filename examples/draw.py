"""Lets the network draw into a PNG file.

python examples/draw.py "a big red circle" drawing.png
"""

import base64
import os
import sys
from pathlib import Path

from openai import OpenAI

wish, path = sys.argv[1:3]
client = OpenAI(base_url=os.environ.get("UNISONO_URL", "http://127.0.0.1:8000/v1"), api_key="any")
made = client.images.generate(model="unisono", prompt=wish)
Path(path).write_bytes(base64.b64decode(made.data[0].b64_json))
print(path)
