"""NWB files, and tables for manuscripts."""
