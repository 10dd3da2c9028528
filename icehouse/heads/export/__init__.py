"""Heads as ONNX, for programs that have no icehouse."""

from icehouse.heads.export._export import HeadExport, export_head

__all__ = ["HeadExport", "export_head"]
