"""Insertion, one adapter per system. Choosing one is the composition root's business (app.py).

x11.py               the port `Inserter`: what happens in which order, and what is told
x11_selections.py    CLIPBOARD and PRIMARY: owned, served, given back
x11_selection_reader.py     what others have there, read whole
x11_reach.py         whether keys would come to the target; bringing the focus there
x11_undo.py          the last insertion taken back
x11_receipts.py      whether the target has fetched the text, and is done
x11_last.py          where the last insertion went, and what was pressed there since
x11_cursor.py        what the target tells of its cursor; asked by atspi.py
x11_windows.py       which window has the focus, whose it is, bringing it back
x11_keyboard.py      keys held, keys sent
x11_typing.py        text as keys, also such as the keyboard lacks
"""
