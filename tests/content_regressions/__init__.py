"""What the official provider gets wrong about content, one test per behaviour."""
