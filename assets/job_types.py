"""Job types of assets."""

IMPORT_JOB = "assets.import"
REMOVE_FILES_JOB = "assets.remove_files"
HOUSEKEEPING_JOB = "assets.housekeeping"
