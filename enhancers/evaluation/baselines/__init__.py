"""What the methods are compared with, one small file each; the table of them is in `catalog`."""
