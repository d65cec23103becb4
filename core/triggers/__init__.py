"""What the database does by itself at every change of a row, so that no way of writing can forget it.

`definitions` says what each table wants, `install` keeps the database at that. Decision 0011 says why it is done here
and not in the models.
"""
