"""Commands about jobs whose objects are gone."""
