"""One exchange with a server, as plans; what any source needs."""
