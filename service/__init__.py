"""The FountainAI Session and Context Management API."""
