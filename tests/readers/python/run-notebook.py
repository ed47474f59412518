"""Runs a notebook in a kernel of this interpreter and saves its plots.

stdin: {"notebook", "plots": folder}; STEPSTORE_URL names the store. stdout: {"cells", "plots": [{"file", "width", "height", "colours"}], "text"}.
"""

import base64
import io
import json
import os
import sys

import nbformat
from nbclient import NotebookClient
from PIL import Image

given = json.load(sys.stdin)
notebook = nbformat.read(given["notebook"], as_version=4)
nbformat.validate(notebook)
NotebookClient(notebook, timeout=150, kernel_name="python3", resources={"metadata": {"path": os.path.dirname(given["notebook"])}}).execute()

plots, text, cells = [], [], 0
for cell in notebook.cells:
    if cell.cell_type != "code":
        continue
    cells += 1
    for output in cell.outputs:
        if output.output_type == "stream":
            text.append(output.text)
            continue
        data = output.get("data", {})
        if "image/png" not in data:
            text.append(data.get("text/plain", ""))
            continue
        name = os.path.join(given["plots"], f"{os.path.basename(given['notebook'])}-{len(plots)}.png")
        with open(name, "wb") as file:
            file.write(base64.b64decode(data["image/png"]))
        picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
        colours = picture.getcolors(maxcolors=2**24)
        plots.append({"file": name, "width": picture.width, "height": picture.height, "colours": len(colours)})
print(json.dumps({"cells": cells, "plots": plots, "text": "\n".join(text)}))
