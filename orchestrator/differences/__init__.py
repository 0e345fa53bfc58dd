"""What differs between two locks or two images: values in, values out, but for reading layers."""
