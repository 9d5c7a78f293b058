"""Real applications that keep their derived tables with Tidemark. Nothing in the library imports them."""
