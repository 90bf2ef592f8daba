"""Result files as data frames: loaded, compared, kept, tidied, with intervals."""
