"""Pure functions on pixels and boxes: arrays in, arrays out; no disk, no records, none of ours."""
