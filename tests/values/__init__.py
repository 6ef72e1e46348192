"""Values as programs want them."""
