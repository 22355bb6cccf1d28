"""List the chapters whose stored outputs are older than what they depend on, and what has changed (make stale)."""

from tools.digest import changes
from tools.ipynb import BOOK, read, run_of

SHOWN = 6  # reasons a chapter


def main() -> None:
    found, seconds = 0, 0.0
    for path in sorted(BOOK.glob("*.ipynb")):
        notebook = read(path)
        if reasons := list(changes(notebook)):
            found, seconds = found + 1, seconds + run_of(notebook).get("seconds", 0)
            more = f" and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
            print(f"{path.name}: {', '.join(reasons[:SHOWN])}{more}")
    print(f"{found} stale; `make execute` runs them in about {seconds:.0f} s" if found else "Every chapter is fresh.")


if __name__ == "__main__":
    main()
