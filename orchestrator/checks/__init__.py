"""Rules over a workspace: what they find before anything is built. Reads files, asks nobody."""
