"""The data of visual spatial description (VSD, arXiv 2210.11109) as rows and conversations."""
