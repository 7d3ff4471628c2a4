"""How exact insertion is: every text into every target by every strategy (`python -m tests.fidelity`).

texts.py        what is inserted
targets.py      what it is inserted into: programs of other makers
gtk_editor.py, tk_editor.py     two of them; they run on the system's own Python
__main__.py     the table, docs/fidelity.md
"""
