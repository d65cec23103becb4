"""Cache tags: which rows show in which responses, and the version of each tag, which triggers increment."""
