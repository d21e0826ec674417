"""Small per-pixel helpers that several modules of synthesis need. Pure."""

import cv2
import numpy as np


def channel_max(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> (H, W): OpenCV's max over planes is several times faster than numpy's."""
    red, green, blue = cv2.split(picture)
    found: np.ndarray = cv2.max(cv2.max(red, green), blue)
    return found


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Largest channel difference (H, W) uint8 of two (H, W, 3) uint8 pictures of one size."""
    return channel_max(cv2.absdiff(a, b))


def border_color(rgb: np.ndarray) -> np.ndarray:
    """(3,) float: the median of the outermost pixels of a picture (H, W, 3), each channel alone."""
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
    found: np.ndarray = np.median(border, axis=0)
    return found


def filled(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool of a (H, W) mask with its holes: what no path of pixels side by side leads to
    from the border. As scipy's `binary_fill_holes`, which takes ten times as long."""
    around = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(around, None, (0, 0), 2, flags=4)
    found: np.ndarray = around[1:-1, 1:-1] != 2
    return found


def grown(mask: np.ndarray, by_px: int) -> np.ndarray:
    """(H, W) bool: a mask and all that is at most so many pixels beside, above or below it."""
    size = 2 * by_px + 1
    found: np.ndarray = cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    return found
