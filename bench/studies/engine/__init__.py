"""What runs, records, judges and tabulates studies. Knows no single study."""
