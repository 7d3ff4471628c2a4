"""How exact insertion is: every text into every target by every strategy (`python -m tests.fidelity`).

texts.py        what is inserted
targets.py      what it is inserted into: programs of other makers
gtk_editor.py, tk_editor.py, line_editor.py     some of them; the first two run on the system's own Python
manners.py      what else is asked of them: spaces, undo, passwords
__main__.py     the table, docs/fidelity.md
"""
