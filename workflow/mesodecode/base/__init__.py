"""The ground floor: files, tables, plots, records, progress."""
