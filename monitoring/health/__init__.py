"""Whether the installation works, for orchestrators and for people."""
