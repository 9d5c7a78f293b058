"""Tidemark keeps derived tables true inside the database an application already has."""
