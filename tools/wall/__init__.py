"""The wall: every explainer on eight pictures at four stages of one network, computed once and kept in data/wall.

    python -m tools.wall                     computes what is missing, cheapest first, and goes on where it stopped
    python -m tools.wall --stale             says which code has changed since maps were made

`pictures`  the eight pictures, made from installed packages; no photograph is a file of the repository
`settings`  what is asked of each explainer here, and why some are left out
`compute`   maps of one picture by one explainer, or by some that share their work
`store`     data/wall: one sprite and one index for an explainer and a question; `tile` reads a map back
`measures`  what can be counted in the stored maps
`draw`      maps over their picture, and the still picture of the page

`store.tile(picture, method, stage, question)` and `pictures.pixels(picture)` serve other pages as well.
"""
