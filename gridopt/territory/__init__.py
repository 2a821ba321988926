"""Territory: streets, blocks, borders and objects become units, graphs and integers."""
