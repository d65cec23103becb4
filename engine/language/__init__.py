"""The edit language: typed models of a Shotstack-format edit, its merge fields, warnings and sources."""
