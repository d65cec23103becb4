"""File storage: a directory or a bucket. Writes are atomic, reads can start anywhere."""

from files.storage.blobs import BlobStore, blob_store

__all__ = ["BlobStore", "blob_store"]
