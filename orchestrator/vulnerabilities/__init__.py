"""Known vulnerabilities of what is in an image, as several scanners tell of them."""
