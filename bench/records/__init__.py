"""What runs leave on disk: how it is written, found and read again. No tables, no training."""
