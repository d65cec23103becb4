"""The staff's screens of renders."""

from renders.admin.library import ProjectAdmin, TemplateAdmin
from renders.admin.renders import RenderAdmin

__all__ = ["ProjectAdmin", "RenderAdmin", "TemplateAdmin"]
