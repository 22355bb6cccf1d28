"""Numbers of one picture at a time, as rows: how gradients and maps are built, what a map keeps without weights.

    python -m tools.study structure --world toyland --n 100
    python -m tools.study structure --world photographs --photos FOLDER --n 100 --limit 3000

`worlds` holds networks and pictures, `made` writes the rows, and each other file a family of measures.
"""
