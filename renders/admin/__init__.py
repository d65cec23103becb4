"""Admin screens of renders, batches, projects, templates and external workers."""

from renders.admin.batches import BatchAdmin
from renders.admin.library import ProjectAdmin, TemplateAdmin
from renders.admin.renders import RenderAdmin
from renders.admin.workers import ExternalLeaseAdmin, WorkerMessageAdmin

__all__ = [
    "BatchAdmin",
    "ExternalLeaseAdmin",
    "ProjectAdmin",
    "RenderAdmin",
    "TemplateAdmin",
    "WorkerMessageAdmin",
]
