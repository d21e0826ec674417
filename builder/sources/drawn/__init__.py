"""What sources that draw their own manuals share: lines of words, pages, marks on pictures."""
