"""The shop systems that the engine speaks with, one file each; this list is all that registers them."""
