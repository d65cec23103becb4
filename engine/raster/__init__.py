"""Rasterizer: draws clips that have no media file of their own.

Text, titles, captions, HTML and shapes become RGBA pictures with straight alpha. Layout runs in separate
processes under limits (`engine.raster.worker`), which load nothing that a page references.
"""

from engine.raster.errors import DrawingFailed
from engine.raster.model import Raster, RasterFrame
from engine.raster.pool import RasterPool, shared_pool
from engine.raster.rasterize import is_drawn, rasterize, rasterize_all

__all__ = [
    "DrawingFailed",
    "Raster",
    "RasterFrame",
    "RasterPool",
    "is_drawn",
    "rasterize",
    "rasterize_all",
    "shared_pool",
]
