"""The front door: the commonest requests answered before Django, for they are asked over and over.

Kept lists and 304s, refusals of whoever shows no good credential, rows and paths that are not there, bodies that are
wrong by themselves (`bodies`). `door` is the WSGI
application around Django's; `table` knows the paths; `answers` makes the answers, or says nothing, and then Django
makes them: what leaves here is what would have left there, byte for byte (`tests/core/test_front.py` compares). Who
calls is the accounts' to say (`callers`), and who wants to know what was served listens to `served`.
"""
