"""Cache tags: which rows show in which answers, and the version of each tag. Triggers raise them."""
