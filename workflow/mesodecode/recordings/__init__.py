"""From a lab's files to recordings."""
