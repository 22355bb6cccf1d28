"""Print a notebook as text, for `git diff`: sources and printed outputs, without pictures."""

import json
import sys
from pathlib import Path

for cell in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["cells"]:
    print(f"--- {cell['cell_type']} {cell.get('id', '')}")
    print("".join(cell["source"]))
    for output in cell.get("outputs", []):
        text = output.get("text") or output.get("data", {}).get("text/plain") or []
        print("=>", "".join(text))
