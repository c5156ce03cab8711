"""The dearest of albumentations' operations in a fraction of their time; the library's own are what they are tested
against."""
