"""Insertion, one adapter per system. Choosing one is the composition root's business (app.py).

x11.py               the port `Inserter`: what happens in which order, and what is told
x11_selections.py    CLIPBOARD and PRIMARY: read whole, owned, served, given back
x11_windows.py       which window has the focus, whose it is, bringing it back
x11_keyboard.py      keys held, keys sent
x11_typing.py        text as keys, also such as the keyboard lacks
"""
