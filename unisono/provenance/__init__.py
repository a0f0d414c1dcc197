"""Where a file came from: a watermark in speech, a C2PA manifest in pictures, and the check of both."""
