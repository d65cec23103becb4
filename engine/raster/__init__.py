"""Draw clips that have no media file of their own."""
