"""What a local file is: by content, examined in a limited process."""

from engine.probe.client import probe_file, probe_files
from engine.sniff import FileType, sniff

__all__ = ["FileType", "probe_file", "probe_files", "sniff"]
