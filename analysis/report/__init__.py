"""The report: one HTML page with the verdict, figures and tables."""
