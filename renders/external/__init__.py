"""Workers without access to the database or the storage: they claim, fetch, render, upload and report over HTTP."""
