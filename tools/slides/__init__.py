"""Slides with notes for a lecture, made from marks in the chapters: `python -m tools.slides`.

What a slide shows is marked in the chapter and never cut from its text by a rule. A cell has one or more of the tags

    slide            this cell makes slides
    slide-lecture    they are in the deck of the 90-minute lecture as well
    slide-day        they are in the deck of the day as well

and, in its metadata, their words: Markdown, line by line, in which "# " begins a slide with its title.

    "slide": ["# A score is the average of a map", "{equation eq-cam}", "Nothing is approximated."]

A line in braces puts a part of the chapter there, so that no formula, picture, program or result has a second copy:

    {picture}          what this cell draws, or the drawing in its text, blocks of panels beside each other where that
                       shows them larger; {picture whole}: as it is; {picture row 1}: one row of a chart that has two;
                       {picture NAME}: another picture of the chapter
    {equation LABEL}   a formula of the chapter, with its number
    {code}             this cell's program, at most twelve lines; {code 3-8}: these lines of it
    {output}           what this cell has printed; {output 2-9} or {output 2-}: these lines of it
    {claim KEY}        a claim of the ledger, with its verdicts: "holistic, Fig. 1" (paper and place, data/claims.toml)

A paragraph that begins with "Here: " says what was found and is drawn in a frame. A slide that quotes a paper needs
one, or a {claim}. A cell with a picture needs no words: its caption has the finding and the rest. Results are written
as the chapter writes or prints them, which a test sees to.

Titles, exercises and the last slide, "What to remember", come by themselves, whole. The speaker's view has the
lecturer's notes of the section and the text that stands there in the book. The decks of the lecture and of the day
follow the plans in book/teaching.md.
"""
