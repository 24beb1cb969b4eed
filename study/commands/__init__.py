"""The commands of ``python -m study``, which `study.cli` puts together."""
