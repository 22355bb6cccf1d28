"""The laboratory, book/laboratory.md: a network that runs in the reader's browser, and what the page needs for it.

`network` is the network as it travels, `trace` writes its graphs, `runtime` fetches what runs them, `parcel` puts both
beside the page.
"""
