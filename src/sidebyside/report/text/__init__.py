"""What a report says: numbers, sentences, claims, tables and the Markdown they make."""
