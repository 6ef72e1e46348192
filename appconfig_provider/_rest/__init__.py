"""One HTTP exchange with the service: built, signed, judged; never sent from here."""
